//! Wheel file names (PEP 427) and compatibility tags (PEP 425).
//!
//! Knows only text. Must never know files or interpreters.

use std::fmt;
use std::str::FromStr;

use recipes::name::{PackageName, Version};

/// A parsed wheel file name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WheelName {
    /// Normalised project name.
    pub name: PackageName,
    /// The version.
    pub version: Version,
    /// The build tag, `1` or `2foo`; rare.
    pub build: Option<String>,
    /// The tag sets, `py2.py3`, `none`, `any`.
    pub tags: TagSet,
    /// The file name as given.
    pub text: String,
}

/// Compressed tags (PEP 425): each part may list several, joined by `.`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagSet {
    /// `py3`, `cp311`.
    pub python: String,
    /// `none`, `abi3`, `cp311`.
    pub abi: String,
    /// `any`, `linux_x86_64`.
    pub platform: String,
}

impl TagSet {
    /// Every single tag, sorted.
    pub fn expand(&self) -> Vec<String> {
        let mut all = Vec::new();
        for p in self.python.split('.') {
            for a in self.abi.split('.') {
                for f in self.platform.split('.') {
                    all.push(format!("{p}-{a}-{f}"));
                }
            }
        }
        all.sort();
        all.dedup();
        all
    }
}

impl FromStr for TagSet {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split('-').collect();
        match parts[..] {
            [python, abi, platform] if parts.iter().all(|p| !p.is_empty()) => {
                Ok(Self { python: python.into(), abi: abi.into(), platform: platform.into() })
            }
            _ => Err(format!("`{text}` is not a tag of three parts")),
        }
    }
}

impl fmt::Display for TagSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.python, self.abi, self.platform)
    }
}

impl FromStr for WheelName {
    type Err = String;

    /// Accepts `{name}-{version}(-{build})?-{python}-{abi}-{platform}.whl`.
    fn from_str(text: &str) -> Result<Self, String> {
        let stem = text.strip_suffix(".whl").ok_or_else(|| format!("`{text}` does not end in `.whl`"))?;
        if text.contains('/') {
            return Err(format!("`{text}` is a path, not a file name"));
        }
        let parts: Vec<&str> = stem.split('-').collect();
        let (name, version, build, tags) = match parts[..] {
            [n, v, p, a, f] => (n, v, None, [p, a, f]),
            [n, v, b, p, a, f] => (n, v, Some(b), [p, a, f]),
            _ => return Err(format!("`{text}` does not have the five or six parts of a wheel name")),
        };
        if build.is_some_and(|b| !b.starts_with(|c: char| c.is_ascii_digit())) {
            return Err(format!("the build tag of `{text}` does not start with a digit"));
        }
        let tags = tags.join("-").parse()?;
        let name = PackageName::from_str(name).map_err(|e| e.to_string())?;
        let version = Version::from_str(&version.replace('_', "-"))
            .or_else(|_| Version::from_str(version))
            .map_err(|e| e.to_string())?;
        Ok(Self { name, version, build: build.map(str::to_owned), tags, text: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wheel_name_has_five_or_six_parts() {
        let n: WheelName = "Flask_Login-1.0.post1-2b-py2.py3-none-any.whl".parse().unwrap();
        assert_eq!((n.name.as_ref(), n.version.to_string().as_str()), ("flask-login", "1.0.post1"));
        assert_eq!(n.build.as_deref(), Some("2b"));
        assert_eq!(n.tags.expand(), ["py2-none-any", "py3-none-any"]);
        for bad in [
            "a.whl",
            "a-1-py3-none.whl",
            "a-1-x-py3-none-any.whl",
            "a-1-py3-none-any.zip",
            "a-x-py3-none-any.whl",
        ] {
            assert!(bad.parse::<WheelName>().is_err(), "{bad}");
        }
    }
}
