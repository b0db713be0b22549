//! What a user means by `flask` or `flask==3.1.3`.
//!
//! Knows how a spec names one recipe of the set. Must never know where the
//! spec was written.

use crate::codes;
use crate::diag::Finding;
use crate::name::Requirement;

use super::trouble::{add_line, typed};
use super::{PackageSet, RecipeId};

impl PackageSet {
    /// The recipe a spec such as `flask`, `flask==3.1.3` or `flask<3` means:
    /// the highest version that is not disabled, a pre-release only where
    /// PEP 440 lets it in; applications too.
    pub fn select(&self, spec: &str) -> Result<RecipeId, Finding> {
        let wanted: Requirement = spec.parse().map_err(|reason: String| {
            Finding::plain(codes::BAD_REQUIREMENT, format!("`{spec}` is no package name: {reason}"))
                .hint("write NAME or NAME==VERSION")
        })?;
        if matches!(wanted.parsed.version_or_url, Some(pep508_rs::VersionOrUrl::Url(_))) {
            let message = format!("`{}` is wanted by an address", wanted.name());
            return Err(Finding::plain(codes::ADDRESS_REQUIREMENT, message)
                .hint(format!("write `{}`; a recipe for it says where its bytes come from", wanted.name())));
        }
        let Some(name) = self.name_id(wanted.name()) else {
            return Err(self.no_such_name(&wanted));
        };
        let specifiers = wanted.specifiers();
        let fits = |id: &&RecipeId| specifiers.contains(&self.get(**id).version);
        let fitting: Vec<RecipeId> = self.versions_of(name).iter().filter(fits).copied().collect();
        let Some(highest) = fitting.first() else {
            let pname = wanted.name();
            let mut finding = Finding::plain(
                codes::NO_SUCH_VERSION,
                format!("no version of `{pname}` in the set satisfies `{specifiers}`"),
            )
            .note(self.versions_told(name));
            let text = specifiers.to_string();
            if let Some(near) = self.version_like(name, text.trim_start_matches("==")) {
                finding = finding.hint(format!("did you mean `{pname}=={near}`?"));
            }
            return Err(finding.hint(add_line(pname.as_ref(), &typed(&text))));
        };
        let pre = specifiers.iter().any(pep440_rs::VersionSpecifier::any_prerelease);
        let enabled = || fitting.iter().filter(|id| self.misfit(**id).is_none());
        let best = enabled().find(|id| pre || !self.get(**id).version.any_prerelease());
        best.or_else(|| enabled().next()).copied().ok_or_else(|| {
            let reason = self.misfit(*highest).unwrap_or_default();
            Finding::error(
                codes::DISABLED_RECIPE,
                self.get(*highest).place.clone(),
                format!("`{}` is disabled: {reason}", self.label(*highest)),
            )
        })
    }

    fn no_such_name(&self, wanted: &Requirement) -> Finding {
        let name = wanted.name().as_ref();
        let message = format!("no recipe of the set is named `{name}`");
        let mut finding = Finding::plain(codes::MISSING_RECIPE, message);
        if let Some(near) = self.name_like(name) {
            finding = finding.hint(format!("did you mean `{near}`?"));
        }
        finding.hint(add_line(name, &typed(&wanted.specifiers().to_string())))
    }
}
