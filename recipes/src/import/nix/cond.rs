//! Conditions on interpreters and platforms, as PEP 508 markers.
//!
//! Knows what nixpkgs asks (`pythonOlder "3.11"`, `stdenv.isDarwin`). Must
//! never know which interpreter or platform there is.

/// When something holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cond {
    Always,
    Never,
    /// `variable op 'value'`.
    Is(&'static str, Op, String),
    All(Vec<Cond>),
    Any(Vec<Cond>),
}

/// A comparison of PEP 508 that has an opposite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Equal,
    NotEqual,
    Less,
    AtLeast,
}

impl Op {
    fn text(self) -> &'static str {
        match self {
            Op::Equal => "==",
            Op::NotEqual => "!=",
            Op::Less => "<",
            Op::AtLeast => ">=",
        }
    }

    fn opposite(self) -> Self {
        match self {
            Op::Equal => Op::NotEqual,
            Op::NotEqual => Op::Equal,
            Op::Less => Op::AtLeast,
            Op::AtLeast => Op::Less,
        }
    }
}

impl Cond {
    fn is(variable: &'static str, value: &str) -> Self {
        Cond::Is(variable, Op::Equal, value.to_owned())
    }

    fn python(op: Op, version: &str) -> Self {
        let parts = version.split('.').count();
        let variable = if parts > 2 { "python_full_version" } else { "python_version" };
        Cond::Is(variable, op, version.to_owned())
    }

    /// `pythonOlder version`.
    pub(super) fn older(version: &str) -> Self {
        Self::python(Op::Less, version)
    }

    /// `pythonAtLeast version`.
    pub(super) fn at_least(version: &str) -> Self {
        Self::python(Op::AtLeast, version)
    }

    /// `python.pythonVersion == version`.
    pub(super) fn version(version: &str) -> Self {
        Self::python(Op::Equal, version)
    }

    /// `isPy311`, `stdenv.hostPlatform.isLinux` and the like, by the last name.
    pub(super) fn named(name: &str) -> Option<Self> {
        if let Some(digits) = name.strip_prefix("isPy")
            && digits.bytes().all(|b| b.is_ascii_digit())
            && digits.len() > 1
        {
            let (major, minor) = digits.split_at(1);
            let never = major == "2";
            return Some(if never { Cond::Never } else { Self::version(&format!("{major}.{minor}")) });
        }
        Some(match name {
            "isPy3k" | "isPy3" => Cond::Always,
            "isPy2" => Cond::Never,
            "isPyPy" => Self::is("implementation_name", "pypy"),
            "isCPython" => Self::is("implementation_name", "cpython"),
            "isLinux" => Self::is("sys_platform", "linux"),
            "isDarwin" | "isMacOS" => Self::is("sys_platform", "darwin"),
            "isWindows" => Self::is("sys_platform", "win32"),
            "isFreeBSD" => Self::is("sys_platform", "freebsd"),
            "isx86_64" => Self::is("platform_machine", "x86_64"),
            "isi686" => Self::is("platform_machine", "i686"),
            // Linux and macOS have two names for it.
            "isAarch64" => Cond::Any(vec![
                Self::is("platform_machine", "aarch64"),
                Self::is("platform_machine", "arm64"),
            ]),
            _ => return None,
        })
    }

    /// `stdenv.hostPlatform.system == "x86_64-linux"`.
    pub(super) fn system(text: &str) -> Option<Self> {
        let (machine, system) = text.split_once('-')?;
        let machine = match (machine, system) {
            ("aarch64", "darwin") => "arm64",
            (machine, _) => machine,
        };
        matches!(system, "linux" | "darwin")
            .then(|| Self::is("sys_platform", system).and(Self::is("platform_machine", machine)))
    }

    pub(super) fn not(&self) -> Self {
        match self {
            Cond::Always => Cond::Never,
            Cond::Never => Cond::Always,
            Cond::Is(variable, op, value) => Cond::Is(variable, op.opposite(), value.clone()),
            Cond::All(parts) => parts.iter().map(Cond::not).fold(Cond::Never, Cond::or),
            Cond::Any(parts) => parts.iter().map(Cond::not).fold(Cond::Always, Cond::and),
        }
    }

    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Cond::Always, one) | (one, Cond::Always) => one,
            (Cond::Never, _) | (_, Cond::Never) => Cond::Never,
            (a, b) if a == b => a,
            (a, b) => {
                let flat = |c| if let Cond::All(parts) = c { parts } else { vec![c] };
                Cond::All(flat(a).into_iter().chain(flat(b)).collect())
            }
        }
    }

    pub(super) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Cond::Never, one) | (one, Cond::Never) => one,
            (Cond::Always, _) | (_, Cond::Always) => Cond::Always,
            (a, b) if a == b => a,
            (a, b) => {
                let flat = |c| if let Cond::Any(parts) = c { parts } else { vec![c] };
                Cond::Any(flat(a).into_iter().chain(flat(b)).collect())
            }
        }
    }

    /// Whether it holds for some CPython on Linux.
    pub(super) fn holds_on_linux(&self) -> bool {
        match self {
            Cond::Always => true,
            Cond::Never => false,
            Cond::Is(variable, op, value) => {
                let is = match *variable {
                    "sys_platform" => value == "linux",
                    "implementation_name" => value == "cpython",
                    _ => return true,
                };
                is == (*op == Op::Equal)
            }
            Cond::All(parts) => parts.iter().all(Cond::holds_on_linux),
            Cond::Any(parts) => parts.iter().any(Cond::holds_on_linux),
        }
    }

    /// As a marker; nothing when it always holds. One that never holds has
    /// none either: who asks has left it out before.
    pub(super) fn marker(&self) -> Option<String> {
        let join = |parts: &[Cond], word: &str| {
            let inner = |c: &Cond| {
                let text = c.marker().unwrap_or_default();
                if matches!(c, Cond::Any(_)) && word == "and" { format!("({text})") } else { text }
            };
            parts.iter().map(inner).collect::<Vec<_>>().join(&format!(" {word} "))
        };
        match self {
            Cond::Always | Cond::Never => None,
            Cond::Is(variable, op, value) => Some(format!("{variable} {} '{value}'", op.text())),
            Cond::All(parts) => Some(join(parts, "and")),
            Cond::Any(parts) => Some(join(parts, "or")),
        }
    }

    /// As `requires-python`, when it is about nothing but one range of versions.
    pub(super) fn specifiers(&self) -> Option<String> {
        match self {
            Cond::Is("python_version" | "python_full_version", op, value) => match op {
                Op::Equal => Some(format!("=={value}.*")),
                Op::NotEqual => Some(format!("!={value}.*")),
                _ => Some(format!("{}{value}", op.text())),
            },
            Cond::All(parts) => {
                let all: Option<Vec<_>> = parts.iter().map(Cond::specifiers).collect();
                Some(all?.join(","))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_markers_and_their_opposites_too() {
        let cond = Cond::older("3.11").and(Cond::named("isAarch64").unwrap());
        let text =
            "python_version < '3.11' and (platform_machine == 'aarch64' or platform_machine == 'arm64')";
        assert_eq!(cond.marker().unwrap(), text);
        let not = "python_version >= '3.11' or platform_machine != 'aarch64' and platform_machine != 'arm64'";
        assert_eq!(cond.not().marker().unwrap(), not);
        for text in [text, not] {
            let parsed: Result<crate::name::MarkerTree, _> = text.parse();
            assert!(parsed.is_ok(), "{text}");
        }
        assert_eq!(cond.not().not(), cond);
    }

    #[test]
    fn a_range_of_interpreters_is_one() {
        let outside = Cond::older("3.9").or(Cond::at_least("3.13"));
        assert_eq!(outside.not().specifiers().unwrap(), ">=3.9,<3.13");
        assert_eq!(Cond::older("3.9").and(Cond::named("isPyPy").unwrap()).specifiers(), None);
        assert_eq!(Cond::named("isPy27").unwrap(), Cond::Never);
        let holds = |name: &str| Cond::named(name).unwrap().holds_on_linux();
        assert!(holds("isLinux") && holds("isCPython") && holds("isPy312") && holds("isAarch64"));
        assert!(!holds("isDarwin") && !holds("isPyPy") && !holds("isPy27"));
        assert_eq!(Cond::named("isPy310").unwrap().not().specifiers().unwrap(), "!=3.10.*");
    }

    #[test]
    fn systems_are_two_conditions() {
        let linux = Cond::system("x86_64-linux").unwrap();
        assert_eq!(linux.marker().unwrap(), "sys_platform == 'linux' and platform_machine == 'x86_64'");
        assert_eq!(Cond::system("riscv64-none-elf"), None);
    }
}
