//! The interpreter and platform a set is evaluated for.
//!
//! Knows marker environments (PEP 508) and wheel tags (PEP 425). Must never
//! know how they were probed.

use pep508_rs::MarkerEnvironment;

use crate::name::{Version, VersionSpecifiers};

/// One interpreter on one platform, as values.
#[derive(Clone, Debug)]
pub struct Target {
    /// The eleven PEP 508 marker variables.
    pub markers: MarkerEnvironment,
    /// Compatible wheel tags (`py3-none-any`), best first (PEP 425).
    pub tags: Vec<String>,
}

impl Target {
    /// The interpreter's version without pre-release parts: what
    /// `requires-python` is compared with, so that 3.14.0rc1 can use what is
    /// for `>=3.14` (pip does the same).
    pub fn python(&self) -> Version {
        self.markers.python_full_version().version.only_release()
    }

    /// Whether a `requires-python` lets this interpreter in.
    pub fn satisfies(&self, requires_python: &VersionSpecifiers) -> bool {
        requires_python.contains(&self.python())
    }

    /// The target in words: `CPython 3.12.3 on linux x86_64`.
    pub fn describe(&self) -> String {
        let m = &self.markers;
        format!(
            "{} {} on {} {}",
            m.platform_python_implementation(),
            m.python_full_version(),
            m.sys_platform(),
            m.platform_machine()
        )
    }

    /// How well a wheel file fits: the index of its best tag in `tags`, 0
    /// being the best; `None` when it fits not at all. The error says why the
    /// name is no wheel's.
    pub fn rank(&self, wheel_file_name: &str) -> Result<Option<usize>, String> {
        let tags = wheel_tags(wheel_file_name)?;
        Ok(tags.iter().filter_map(|tag| self.tags.iter().position(|own| own == tag)).min())
    }
}

/// The tags a wheel's file name carries, compressed sets (PEP 425) expanded.
/// The error is a sentence about the name.
pub fn wheel_tags(file_name: &str) -> Result<Vec<String>, String> {
    let stem =
        file_name.strip_suffix(".whl").ok_or_else(|| format!("`{file_name}` does not end in `.whl`"))?;
    let parts: Vec<&str> = stem.split('-').collect();
    // name-version[-build]-python-abi-platform (PEP 427)
    let [_, _, .., python, abi, platform] = parts[..] else {
        return Err(format!("`{file_name}` has no python, abi and platform tag"));
    };
    if parts.len() > 6 || parts.iter().any(|part| part.is_empty()) {
        return Err(format!("`{file_name}` is not NAME-VERSION[-BUILD]-PYTHON-ABI-PLATFORM.whl"));
    }
    let mut tags = Vec::new();
    for p in python.split('.') {
        for a in abi.split('.') {
            for l in platform.split('.') {
                tags.push(format!("{p}-{a}-{l}"));
            }
        }
    }
    Ok(tags)
}

/// The tags a CPython accepts, best first, in the order of PEP 425 and
/// CPython's stable ABI (PEP 384): `version` is (3, minor), `abi` the full abi
/// tag (`cp312`, `cp313t`), `platforms` best first without `any`.
pub fn cpython_tags(version: (u32, u32), abi: &str, platforms: &[String]) -> Vec<String> {
    let (major, minor) = version;
    let own = format!("cp{major}{minor}");
    let pythons: Vec<String> = std::iter::once(format!("py{major}{minor}"))
        .chain(std::iter::once(format!("py{major}")))
        .chain((0..minor).rev().map(|m| format!("py{major}{m}")))
        .collect();
    let mut tags = Vec::new();
    let mut each = |prefix: String| tags.extend(platforms.iter().map(|p| format!("{prefix}-{p}")));
    each(format!("{own}-{abi}"));
    // The free-threaded build has no stable ABI.
    let stable = !abi.ends_with('t');
    if stable {
        each(format!("{own}-abi3"));
    }
    each(format!("{own}-none"));
    if stable {
        (2..minor).rev().for_each(|m| each(format!("cp{major}{m}-abi3")));
    }
    pythons.iter().for_each(|python| each(format!("{python}-none")));
    tags.push(format!("{own}-none-any"));
    tags.extend(pythons.iter().map(|python| format!("{python}-none-any")));
    tags
}

#[cfg(test)]
pub(crate) mod tests {
    use pep508_rs::MarkerEnvironmentBuilder;

    use super::*;

    /// CPython 3.`minor` on 64-bit glibc Linux.
    pub(crate) fn linux(minor: u32) -> Target {
        let (version, full) = (format!("3.{minor}"), format!("3.{minor}.4"));
        let markers = MarkerEnvironmentBuilder {
            implementation_name: "cpython",
            implementation_version: &full,
            os_name: "posix",
            platform_machine: "x86_64",
            platform_python_implementation: "CPython",
            platform_release: "6.1",
            platform_system: "Linux",
            platform_version: "#1",
            python_full_version: &full,
            python_version: &version,
            sys_platform: "linux",
        };
        let platforms =
            ["manylinux_2_17_x86_64", "manylinux2014_x86_64", "manylinux1_x86_64", "linux_x86_64"]
                .map(str::to_owned);
        Target {
            markers: markers.try_into().unwrap(),
            tags: cpython_tags((3, minor), &format!("cp3{minor}"), &platforms),
        }
    }

    #[test]
    fn a_wheel_fits_by_its_tags() {
        let target = linux(12);
        let rank = |name: &str| target.rank(name).unwrap();
        assert_eq!(rank("a-1-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"), Some(0));
        assert!(rank("a-1-cp39-abi3-manylinux2014_x86_64.whl") < rank("a-1-py2.py3-none-any.whl"));
        assert!(rank("a-1-py2.py3-none-any.whl").is_some());
        assert!(rank("a-1-1build-py3-none-linux_x86_64.whl").is_some());
        assert_eq!(rank("a-1-cp311-cp311-manylinux_2_17_x86_64.whl"), None);
        assert_eq!(rank("a-1-py3-none-win_amd64.whl"), None);
        assert_eq!(rank("a-1-cp313-abi3-linux_x86_64.whl"), None);
    }

    #[test]
    fn a_name_that_is_no_wheels_is_refused() {
        let target = linux(12);
        expect_test::expect!["`a-1.tar.gz` does not end in `.whl`"]
            .assert_eq(&target.rank("a-1.tar.gz").unwrap_err());
        expect_test::expect!["`a-1.whl` has no python, abi and platform tag"]
            .assert_eq(&target.rank("a-1.whl").unwrap_err());
        assert!(target.rank("a--py3-none-any.whl").is_err());
        assert!(target.rank("a-1-2-3-py3-none-any.whl").is_err());
    }

    #[test]
    fn the_order_of_tags_is_that_of_pep_425() {
        let tags = cpython_tags((3, 4), "cp34m", &["linux_x86_64".to_owned()]);
        expect_test::expect![[r#"
            cp34-cp34m-linux_x86_64
            cp34-abi3-linux_x86_64
            cp34-none-linux_x86_64
            cp33-abi3-linux_x86_64
            cp32-abi3-linux_x86_64
            py34-none-linux_x86_64
            py3-none-linux_x86_64
            py33-none-linux_x86_64
            py32-none-linux_x86_64
            py31-none-linux_x86_64
            py30-none-linux_x86_64
            cp34-none-any
            py34-none-any
            py3-none-any
            py33-none-any
            py32-none-any
            py31-none-any
            py30-none-any"#]]
        .assert_eq(&tags.join("\n"));
        assert!(!cpython_tags((3, 13), "cp313t", &["x".to_owned()]).iter().any(|t| t.contains("abi3")));
    }

    #[test]
    fn a_candidate_interpreter_counts_as_its_release() {
        let mut target = linux(13);
        target.markers = target
            .markers
            .clone()
            .with_python_full_version("3.14.0rc1".parse::<pep508_rs::StringVersion>().unwrap());
        assert!(target.satisfies(&">=3.14".parse().unwrap()));
        assert_eq!(target.describe(), "CPython 3.14.0rc1 on linux x86_64");
    }
}
