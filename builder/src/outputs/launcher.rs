//! Launchers: small `sh` scripts that start the environment's own interpreter.
//!
//! They find it from their own place, so that a folder may be moved, hold
//! spaces and be of any length. Until an option says otherwise they start no
//! process but the one they become. Must never hold a path of the store.

use std::fmt::Write as _;

use recipes::recipe::{Wrap, WrapOp};

use crate::wheel::SCRIPTS_DIR;
use crate::wheel::wire::{Launch, Script};

/// Sets `ww_d` to the absolute folder the launcher itself stands in, every
/// link on the way followed: a program that runs must not find another build
/// behind its paths when `./result` is pointed to one. `readlink` runs only
/// when the launcher was called by a link, a subshell only when the path has
/// `..` or a link to a folder in it.
const FIND_FOLDER: &str = "\
ww_p=$0
case $ww_p in */*) ;; *) ww_p=./$ww_p ;; esac
while [ -h \"$ww_p\" ]; do
  ww_l=$(readlink \"$ww_p\")
  case $ww_l in /*) ww_p=$ww_l ;; *) ww_p=${ww_p%/*}/$ww_l ;; esac
done
ww_d=${ww_p%/*}
case $ww_d in /*) ;; .) ww_d=$PWD ;; *) ww_d=$PWD/${ww_d#./} ;; esac
ww_q=$ww_d
while [ \"$ww_q\" ]; do
  case ${ww_q##*/} in
    . | ..) ;;
    *) if [ ! -h \"$ww_q\" ]; then ww_q=${ww_q%/*}; continue; fi ;;
  esac
  ww_d=$(cd -P -- \"$ww_d\" && pwd -P)
  break
done
";

/// Whether a program sees the user's own site-packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserSite {
    /// `-s`.
    Hidden,
    /// As without a launcher.
    Permitted,
}

impl UserSite {
    fn flag(self) -> &'static str {
        match self {
            UserSite::Hidden => " -s",
            UserSite::Permitted => "",
        }
    }
}

/// One word of shell text, whatever is in it.
pub fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// The executable of an entry point: shell and Python read the same file, so
/// `argv[0]` is the executable itself and `python bin/name` works too (as the
/// reloaders of web servers expect).
pub fn entry_point(point: &Launch, user_site: UserSite) -> String {
    let (module, object) = (&point.module, &point.object);
    let first = object.split('.').next().unwrap_or(object);
    format!(
        "#!/bin/sh\n''':'\n{FIND_FOLDER}exec \"$ww_d/python\"{} \"$0\" \"$@\"\n' '''\n\
         import sys\n\nfrom {module} import {first}\n\n\
         if __name__ == \"__main__\":\n    sys.exit({object}())\n",
        user_site.flag()
    )
}

/// The executable of a Python script whose body lies in [`SCRIPTS_DIR`] beside
/// `bin`. Here too shell and Python read the same file: for the body,
/// `__file__`, `argv[0]` and `sys.path[0]` are what they are for an installed
/// script, so that it finds what lies in `../lib` or `../share` of it, calls
/// itself by its own name and can be started again with `sys.executable`.
pub fn script(script: &Script, user_site: UserSite) -> String {
    format!(
        "#!/bin/sh\n''':'\n{FIND_FOLDER}exec \"$ww_d/python\"{}{} \"$0\" \"$@\"\n' '''\n{}",
        user_site.flag(),
        options(script),
        BODY.replace("@FOLDER", &python_text(SCRIPTS_DIR)).replace("@NAME", &python_text(&script.name)),
    )
}

/// Runs the body as if it stood here; a traceback shows the body's own lines.
const BODY: &str = r#"__doc__ = None


def ww_body():
    from os.path import dirname, join, realpath

    path = join(dirname(dirname(realpath(__file__))), @FOLDER, @NAME)
    with open(path, "rb") as file:
        return compile(file.read(), path, "exec", dont_inherit=True)


exec(globals().pop("ww_body")())
"#;

/// A Python literal of a text, whatever is in it.
fn python_text(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(out, "\\U{:08x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn options(script: &Script) -> String {
    script.python.iter().flatten().fold(String::new(), |all, o| format!("{all} {}", quote(o)))
}

/// What a wrapped executable starts, below the private environment's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program<'a> {
    /// An entry point's executable.
    EntryPoint(&'a str),
    /// A script's executable.
    Script(&'a Script),
}

/// A launcher with `[wrap]` operations. `env` is the private environment's
/// folder relative to the launcher's, as `../env`. The errors are values that
/// cannot be variables.
pub fn wrapped(program: &Program<'_>, wrap: &Wrap, env: &str) -> Result<String, Vec<String>> {
    let ops: &[WrapOp] = if wrap.enable { &wrap.ops } else { &[] };
    let user_site = if wrap.permit_user_site { UserSite::Permitted } else { UserSite::Hidden };
    let mut body = String::new();
    let (mut before, mut after, mut problems) = (String::new(), String::new(), Vec::new());
    let (mut prefixes, mut suffixes) = (false, false);
    for op in ops {
        if let Some(name) = variable(op).filter(|name| !is_variable(name)) {
            problems.push(format!("`{name}` is not the name of an environment variable"));
            continue;
        }
        prefixes |= matches!(op, WrapOp::Prefix { .. });
        suffixes |= matches!(op, WrapOp::Suffix { .. });
        match op {
            WrapOp::AddFlags(flags) => flags.iter().for_each(|f| before += &format!(" {}", quote(f))),
            WrapOp::AppendFlags(flags) => flags.iter().for_each(|f| after += &format!(" {}", quote(f))),
            other => operation(other, &mut body),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut out = format!("#!/bin/sh\n{FIND_FOLDER}ww_e=${{ww_d%/*}}/{}\n", env.trim_start_matches("../"));
    if prefixes {
        out.push_str(PREFIX);
    }
    if suffixes {
        out.push_str(SUFFIX);
    }
    out.push_str(&body);
    let command = match program {
        Program::EntryPoint(name) => {
            format!("\"$ww_e/bin/python\"{} \"$ww_e/bin/\"{}", user_site.flag(), quote(name))
        }
        Program::Script(script) if script.python.is_some() => format!(
            "\"$ww_e/bin/python\"{}{} \"$ww_e/bin/\"{}",
            user_site.flag(),
            options(script),
            quote(&script.name)
        ),
        Program::Script(script) => format!("\"$ww_e/bin/\"{}", quote(&script.name)),
    };
    let _ = writeln!(out, "exec {command}{before} \"$@\"{after}");
    Ok(out)
}

/// An item that is there already moves to the front; no empty item is made.
const PREFIX: &str = "\
ww_prefix() {
  eval \"ww_v=\\${$1-}\"
  ww_v=${ww_v:+$2$ww_v$2}
  while :; do
    case $ww_v in *\"$2$3$2\"*) ww_v=${ww_v%%\"$2$3$2\"*}$2${ww_v#*\"$2$3$2\"} ;; *) break ;; esac
  done
  case $ww_v in ''|\"$2\") ww_v=$3 ;; *) ww_v=$3${ww_v%\"$2\"} ;; esac
  eval \"export $1=\\$ww_v\"
}
";

/// An item that is there already stays where it is.
const SUFFIX: &str = "\
ww_suffix() {
  eval \"ww_v=\\${$1-}\"
  case $2$ww_v$2 in *\"$2$3$2\"*) ;; *) ww_v=${ww_v:+$ww_v$2}$3 ;; esac
  eval \"export $1=\\$ww_v\"
}
";

fn variable(op: &WrapOp) -> Option<&str> {
    match op {
        WrapOp::Set(name, _) | WrapOp::SetDefault(name, _) | WrapOp::Unset(name) => Some(name),
        WrapOp::Prefix { name, .. } | WrapOp::Suffix { name, .. } => Some(name),
        WrapOp::Chdir(_) | WrapOp::Run(_) | WrapOp::AddFlags(_) | WrapOp::AppendFlags(_) => None,
    }
}

fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric())
}

fn operation(op: &WrapOp, out: &mut String) {
    let _ = match op {
        WrapOp::Set(name, value) => writeln!(out, "export {name}={}", quote(value)),
        WrapOp::SetDefault(name, value) => {
            writeln!(out, "[ \"${{{name}+x}}\" ] || {name}={}\nexport {name}", quote(value))
        }
        WrapOp::Unset(name) => writeln!(out, "unset {name}"),
        WrapOp::Chdir(dir) => writeln!(out, "cd -- {} || exit", quote(dir)),
        WrapOp::Run(line) => writeln!(out, "{line}"),
        WrapOp::Prefix { name, sep, values } => {
            list(out, "ww_prefix", name, sep, items(values, sep).into_iter().rev())
        }
        WrapOp::Suffix { name, sep, values } => {
            list(out, "ww_suffix", name, sep, items(values, sep).into_iter())
        }
        WrapOp::AddFlags(_) | WrapOp::AppendFlags(_) => Ok(()),
    };
}

/// The single items of list values: one value may hold several.
fn items<'a>(values: &'a [String], sep: &str) -> Vec<&'a str> {
    let split = |v: &'a String| match sep {
        "" => vec![v.as_str()],
        sep => v.split(sep).collect(),
    };
    values.iter().flat_map(split).filter(|item| !item.is_empty()).collect()
}

fn list<'a>(
    out: &mut String,
    function: &str,
    name: &str,
    sep: &str,
    items: impl Iterator<Item = &'a str>,
) -> std::fmt::Result {
    for item in items {
        writeln!(out, "{function} {name} {} {}", quote(sep), quote(item))?;
    }
    Ok(())
}
