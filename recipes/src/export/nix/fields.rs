//! The fields of a recipe as attributes.
//!
//! Knows each field's attribute in nixpkgs. Must never drop one: what has no
//! attribute is a note.

use super::{Page, words};
use crate::diag::SourceFile;
use crate::export::Part;
use crate::import::nix::{external_attribute, license_attribute};
use crate::marker::{ExtraSplit, split_extra};
use crate::name::{ExtraName, PackageName, Requirement};
use crate::recipe::{Dependency, Format, Phase, Runner, WrapOp};

impl Page<'_> {
    pub(super) fn fields(&mut self, part: &Part, way: &dyn Fn(&SourceFile) -> String) {
        let recipe = self.recipe;
        self.text("pname", &recipe.pname_text);
        self.text("version", &recipe.version.to_string());
        match recipe.format {
            Format::Pyproject => self.set_to("pyproject", "true"),
            Format::Wheel => self.text("format", "wheel"),
            Format::Other => self.set_to("pyproject", "false"),
        }
        self.interpreters();
        self.gap();
        match self.set.source_for(part.id) {
            Ok(source) => self.source(source, way),
            Err(why) => self.note(format!("`[source]`: {why}")),
        }
        self.gap();
        self.inputs();
        self.gap();
        self.relaxed();
        self.build();
        self.phases();
        self.gap();
        self.checks();
        self.wrap();
        self.gap();
        self.meta();
        self.strings("pythonNamespaces", &recipe.namespaces);
        if !recipe.remove_tests {
            self.set_to("dontUsePythonRemoveTestsDir", "true");
        }
        if recipe.cargo.is_some() {
            self.note("`[cargo]`: give `cargoDeps`, whose hash only Nix can tell");
        }
        if recipe.app.is_some() {
            self.note("`[app]` has no counterpart");
        }
        // The last blank line is none of ours to leave.
        self.body.truncate(self.body.trim_end_matches('\n').len() + 1);
    }

    /// `requires-python`.
    fn interpreters(&mut self) {
        use pep440_rs::Operator;
        let Some((python, _)) = &self.recipe.requires_python else { return };
        let (mut outside, mut unsaid) = (Vec::new(), Vec::new());
        for specifier in python.iter() {
            let function = match specifier.operator() {
                Operator::GreaterThanEqual => "pythonOlder",
                Operator::LessThan => "pythonAtLeast",
                _ => {
                    unsaid.push(specifier.to_string());
                    continue;
                }
            };
            self.args.insert(function.to_owned());
            outside.push(format!("{function} \"{}\"", specifier.version()));
        }
        if !outside.is_empty() {
            self.set_to("disabled", &outside.join(" || "));
        }
        if !unsaid.is_empty() {
            self.note(format!("`requires-python`: `{}`", unsaid.join(", ")));
        }
    }

    fn inputs(&mut self) {
        let recipe = self.recipe;
        if !recipe.build_system.is_empty() && recipe.format != Format::Wheel {
            let list = self.needs(&requirements(&recipe.build_system), Vec::new());
            self.set_to("build-system", &list);
        }
        self.externals();
        if !recipe.dependencies.is_empty() {
            let list = self.needs(&requirements(&recipe.dependencies), Vec::new());
            self.set_to("dependencies", &list);
        }
        if !recipe.optional_dependencies.is_empty() {
            let mut rows = Vec::new();
            for (extra, all) in &recipe.optional_dependencies {
                let all: Vec<Requirement> = all.iter().map(|d| within(&d.requirement, extra)).collect();
                let list = self.needs(&all, Vec::new()).replace('\n', "\n  ");
                rows.push(format!("    {} = {list};\n", words::key(extra.as_ref())));
            }
            self.set_to("optional-dependencies", &format!("{{\n{}  }}", rows.concat()));
        }
    }

    /// Requirements as a list; what versions they ask for is a comment.
    fn needs(&mut self, all: &[Requirement], first: Vec<String>) -> String {
        let (mut plain, mut more) = (first, Vec::new());
        for requirement in all {
            let own = *requirement.name() == self.recipe.pname;
            // What is asked of itself is its own extras.
            let name = if own { None } else { self.project(requirement.name()) };
            if name.is_none() && !own {
                self.note(format!("`{requirement}`: this is no name of Nix"));
                continue;
            }
            let condition = match self.condition(requirement) {
                Ok(condition) => condition,
                Err(why) => {
                    self.note(why);
                    continue;
                }
            };
            let specifiers = requirement.specifiers().to_string();
            let comment = if specifiers.is_empty() { String::new() } else { format!(" # {specifiers}") };
            let mut spreads: Vec<String> = Vec::new();
            for extra in &requirement.parsed.extras {
                let of = name.as_ref().map(|n| format!("{n}.")).unwrap_or_default();
                self.rec |= own;
                // nixpkgs' package need not have what the project's own metadata has.
                let or = if own || self.has(requirement.name(), extra) { "" } else { " or [ ]" };
                spreads.push(format!("{of}optional-dependencies.{}{or}", words::key(extra.as_ref())));
            }
            match (condition, name) {
                (None, name) => {
                    plain.extend(name.map(|name| format!("{name}{comment}")));
                    more.extend(spreads);
                }
                (Some(condition), name) => {
                    self.args.insert("lib".to_owned());
                    let list = name.map_or_else(|| "[ ]".to_owned(), |name| format!("[ {name} ]"));
                    more.push(format!("lib.optionals ({condition}) {list}{comment}"));
                    more.extend(spreads.iter().map(|s| format!("lib.optionals ({condition}) {s}")));
                }
            }
        }
        let mut out = words::list(&plain);
        more.iter().for_each(|part| out += &format!("\n  ++ {part}"));
        // A comment must not swallow what ends the list.
        if more.last().is_some_and(|part| part.contains('#')) {
            out += "\n  ";
        }
        out
    }

    /// Whether a package that is no business of nixpkgs' has this extra.
    fn has(&self, name: &PackageName, extra: &ExtraName) -> bool {
        let recipes = self.set.versions(name).iter().map(|id| self.set.get(*id));
        let mut ours = recipes.filter(|r| r.layer != super::BASE);
        ours.any(|r| r.optional_dependencies.iter().any(|(own, _)| own == extra))
    }

    /// The marker of a requirement as a condition; one that nixpkgs has no
    /// words for is decided here. The error says that it is left out.
    fn condition(&mut self, requirement: &Requirement) -> Result<Option<String>, String> {
        if matches!(requirement.parsed.version_or_url, Some(pep508_rs::VersionOrUrl::Url(_))) {
            return Err(format!("`{requirement}`: the address of a requirement has no counterpart"));
        }
        let marker = &requirement.parsed.marker;
        if marker.is_true() {
            return Ok(None);
        }
        let text = requirement.text.split_once(';').map_or("", |(_, marker)| marker.trim());
        if let Some((condition, arg)) = words_of(text) {
            self.args.insert(arg.to_owned());
            return Ok(Some(condition));
        }
        if marker.evaluate(&self.set.target().markers, &[]) {
            self.note(format!(
                "the marker of `{requirement}`, which holds for {}",
                self.set.target().describe()
            ));
            return Ok(None);
        }
        Err(format!("`{requirement}`, which is not for {}", self.set.target().describe()))
    }

    /// `[external]`. nixpkgs' builds have a C compiler anyway.
    fn externals(&mut self) {
        let external = &self.recipe.external;
        let lists = [
            ("nativeBuildInputs", &external.build_requires),
            ("buildInputs", &external.host_requires),
            ("propagatedNativeBuildInputs", &external.dependencies),
        ];
        for (name, all) in lists {
            let mut items = Vec::new();
            for (word, _) in all {
                if matches!(word.as_str(), "virtual:compiler/c" | "virtual:compiler/cpp") {
                    continue;
                }
                let generic = word.strip_prefix("pkg:generic/").filter(|n| words::is_name(n));
                match external_attribute(word).or(generic) {
                    _ if name == "propagatedNativeBuildInputs" => {
                        self.note(format!("`[external] dependencies`: `{word}`"));
                    }
                    Some(attribute) => items.push(self.arg(attribute)),
                    None => self.note(format!("`[external]`: `{word}`")),
                }
            }
            if !items.is_empty() {
                self.set_to(name, &words::list(&items));
            }
        }
    }

    fn relaxed(&mut self) {
        let relax = &self.recipe.relax;
        let names = |all: &[(crate::name::PackageName, crate::diag::Place)]| {
            all.iter().map(|(name, _)| name.to_string()).collect::<Vec<_>>()
        };
        let (mut dependencies, upper) = (names(&relax.dependencies), names(&relax.upper));
        if relax.all {
            self.set_to("pythonRelaxDeps", "true");
        } else {
            if !upper.is_empty() {
                self.note("`[relax] upper`: nixpkgs takes all bounds off these requirements");
            }
            dependencies.extend(upper);
            self.strings("pythonRelaxDeps", &dependencies);
        }
        self.strings("pythonRemoveDeps", &names(&relax.remove));
    }

    fn build(&mut self) {
        let build = &self.recipe.build;
        let settings = build.config_settings.iter();
        let flags =
            settings.flat_map(|(key, all)| all.iter().map(move |v| format!("--config-setting={key}={v}")));
        self.strings("pypaBuildFlags", &flags.collect::<Vec<_>>());
        if !build.env.is_empty() {
            let row = |(name, value): (&String, &String)| {
                format!("    {} = {};\n", words::key(name), words::text(value))
            };
            let rows: String = build.env.iter().map(row).collect();
            self.set_to("env", &format!("{{\n{rows}  }}"));
        }
        if let Some(path) = &build.backend_path {
            self.strings("backendPath", path);
        }
        let others = [
            ("backend", build.backend.is_some()),
            ("cores", build.cores.is_some()),
            ("memory", build.memory.is_some()),
            ("exclusive", build.exclusive),
            ("timeout", build.timeout.is_some()),
            ("expect", build.expect.is_some()),
            ("cold", build.cold),
        ];
        for (key, _) in others.iter().filter(|(_, said)| *said) {
            self.note(format!("`[build] {key}` has no counterpart"));
        }
    }

    fn phases(&mut self) {
        let recipe = self.recipe;
        for (phase, key) in Phase::ALL {
            let Some(script) = recipe.phases.get(&phase) else { continue };
            let name = match phase {
                Phase::Build | Phase::Install | Phase::Check => format!("{key}Phase"),
                _ => camel(key),
            };
            self.set_to(&name, &words::block(script));
        }
    }

    fn checks(&mut self) {
        let check = &self.recipe.check;
        let hook = match check.runner {
            Runner::Pytest => Some("pytestCheckHook"),
            Runner::Unittest => Some("unittestCheckHook"),
            Runner::None | Runner::Command => None,
        };
        let first: Vec<String> = hook.map(|hook| self.arg(hook)).into_iter().collect();
        // The hook brings pytest itself.
        let mut inputs = requirements(&check.inputs);
        inputs.retain(|input| check.runner != Runner::Pytest || *input.text != *"pytest");
        if !first.is_empty() || !inputs.is_empty() {
            let list = self.needs(&inputs, first);
            self.set_to("nativeCheckInputs", &list);
        }
        if !check.enable && check.enable_said {
            self.set_to("doCheck", "false");
        }
        match &check.imports {
            Some(imports) if imports.is_empty() => self.set_to("dontUsePythonImportsCheck", "true"),
            Some(imports) => self.strings("pythonImportsCheck", imports),
            None => {}
        }
        let flags = if check.runner == Runner::Unittest { "unittestFlags" } else { "pytestFlags" };
        self.strings(flags, &check.flags);
        self.strings("enabledTests", &check.enabled_tests);
        self.strings("disabledTests", &check.disabled_tests);
        let paths = |all: &[(String, crate::diag::Place)]| {
            all.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>()
        };
        self.strings("enabledTestPaths", &paths(&check.enabled_paths));
        self.strings("disabledTestPaths", &paths(&check.disabled_paths));
        self.strings("enabledTestMarks", &check.marks);
    }

    /// `[wrap]`: a shell reads the arguments once more.
    fn wrap(&mut self) {
        let wrap = &self.recipe.wrap;
        if !wrap.enable {
            self.set_to("dontWrapPythonPrograms", "true");
        }
        if wrap.permit_user_site {
            self.set_to("permitUserSite", "true");
        }
        let mut all: Vec<String> = Vec::new();
        let mut add = |parts: &[&str]| all.extend(parts.iter().map(|p| words::shell(p)));
        for operation in &wrap.ops {
            match operation {
                WrapOp::Set(name, value) => add(&["--set", name, value]),
                WrapOp::SetDefault(name, value) => add(&["--set-default", name, value]),
                WrapOp::Unset(name) => add(&["--unset", name]),
                WrapOp::Prefix { name, sep, values } => {
                    values.iter().for_each(|value| add(&["--prefix", name, sep, value]));
                }
                WrapOp::Suffix { name, sep, values } => {
                    values.iter().for_each(|value| add(&["--suffix", name, sep, value]));
                }
                WrapOp::Chdir(dir) => add(&["--chdir", dir]),
                WrapOp::Run(line) => add(&["--run", line]),
                WrapOp::AddFlags(flags) => flags.iter().for_each(|flag| add(&["--add-flag", flag])),
                WrapOp::AppendFlags(flags) => flags.iter().for_each(|flag| add(&["--append-flag", flag])),
            }
        }
        self.strings("makeWrapperArgs", &all);
    }

    fn meta(&mut self) {
        let meta = &self.recipe.meta;
        let texts = [
            ("description", &meta.description),
            ("homepage", &meta.homepage),
            ("changelog", &meta.changelog),
            ("mainProgram", &meta.main_program),
        ];
        let mut rows = String::new();
        let mut row = |name: &str, value: &str| rows += &format!("    {name} = {value};\n");
        for (name, value) in texts {
            if let Some(value) = value {
                row(name, &words::text(value));
            }
        }
        if let Some(license) = &meta.license {
            // A list of nixpkgs does not say whether it means AND or OR.
            match license_attribute(license) {
                Some(one) => {
                    row("license", &format!("lib.licenses.{one}"));
                    self.args.insert("lib".to_owned());
                }
                None => row("license", &format!("{{ spdxId = {}; }}", words::text(license))),
            }
        }
        if meta.broken {
            row("broken", "true");
        }
        if !meta.known_vulnerabilities.is_empty() {
            let all: Vec<String> = meta.known_vulnerabilities.iter().map(|v| words::text(v)).collect();
            row("knownVulnerabilities", &format!("[ {} ]", all.join(" ")));
        }
        if !rows.is_empty() {
            self.set_to("meta", &format!("{{\n{rows}  }}"));
        }
        if !meta.maintainers.is_empty() {
            self.note("`[meta] maintainers`: nixpkgs has a list of its own");
        }
    }
}

fn requirements(all: &[Dependency]) -> Vec<Requirement> {
    all.iter().map(|d| d.requirement.clone()).collect()
}

/// A requirement of an extra, without the part of its marker that asks for
/// that extra.
fn within(requirement: &Requirement, extra: &ExtraName) -> Requirement {
    let ExtraSplit::Extras(parts) = split_extra(&requirement.text) else { return requirement.clone() };
    let own = parts.into_iter().find(|(name, _)| name == extra);
    own.and_then(|(_, text)| text.parse().ok()).unwrap_or_else(|| requirement.clone())
}

/// The condition of nixpkgs that a marker of one comparison is, and what the
/// function has to take for it.
fn words_of(marker: &str) -> Option<(String, &'static str)> {
    let operator = [">=", "==", "!=", "<"].into_iter().find(|op| marker.contains(op))?;
    let (variable, value) = marker.split_once(operator)?;
    let value = value.trim();
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let value = value.strip_prefix(quote)?.strip_suffix(quote)?;
    let plain = !value.is_empty() && value.chars().all(|c| c.is_ascii_alphanumeric() || c == '.');
    let platform = || match value {
        "linux" => Some("stdenv.hostPlatform.isLinux"),
        "darwin" => Some("stdenv.hostPlatform.isDarwin"),
        _ => None,
    };
    match (variable.trim(), operator) {
        ("python_version", "<") if plain => Some((format!("pythonOlder \"{value}\""), "pythonOlder")),
        ("python_version", ">=") if plain => Some((format!("pythonAtLeast \"{value}\""), "pythonAtLeast")),
        ("sys_platform", "==") => Some((platform()?.to_owned(), "stdenv")),
        ("sys_platform", "!=") => Some((format!("!{}", platform()?), "stdenv")),
        _ => None,
    }
}

/// `post-patch` -> `postPatch`.
fn camel(key: &str) -> String {
    let mut out = String::new();
    let mut upper = false;
    for c in key.chars() {
        match c {
            '-' => upper = true,
            c if upper => {
                out.push(c.to_ascii_uppercase());
                upper = false;
            }
            c => out.push(c),
        }
    }
    out
}
