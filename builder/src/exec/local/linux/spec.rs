//! What our own init is told: the orders of one action, and their bytes.
//!
//! Knows values and a compact encoding (lengths first, little endian), read
//! only by the same build of the same binary. Must never look at the disk.

use crate::exec::action::Level;

/// Everything the init has to do, in order.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Spec {
    /// `full`, `landlock` or `env`.
    pub level: Level,
    /// Program and arguments, paths as the process sees them.
    pub argv: Vec<String>,
    /// The whole environment.
    pub env: Vec<(String, String)>,
    /// Working folder as the process sees it.
    pub cwd: String,
    /// Where `/build` lies as the init sees it when it places files.
    pub build: String,
    /// Host folder copied to `src` below `build`, and the mtime its files get.
    pub source: Option<(String, u64)>,
    /// Small files below `build`.
    pub files: Vec<(String, Vec<u8>)>,
    /// Who the process becomes.
    pub who: Who,
    /// The new root, at level `full`.
    pub root: Option<Root>,
    /// What may be opened, at level `landlock`.
    pub rules: Vec<Rule>,
    /// rlimits.
    pub bounds: Bounds,
    /// The program is a fork server, and the init makes cells for its children.
    pub serves: bool,
}

/// Who a build is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Who {
    /// The invoker itself (level `env`, and an ordinary user's `landlock`).
    Invoker,
    /// We are root and become this uid and gid.
    Becomes(u64, u64),
    /// We are this ordinary uid and gid, seen as the build's uid in a user namespace.
    Mapped(u64, u64),
}

/// The assembled root.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Root {
    /// An empty host folder to assemble it on.
    pub at: String,
    /// In order.
    pub steps: Vec<Step>,
}

/// One step of assembling the root; every path is absolute in the new root.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// A folder and its parents, mode 0755.
    Folder(String),
    /// A file with these bytes, mode 0644.
    File(String, Vec<u8>),
    /// A link: path, target.
    Link(String, String),
    /// A host file or folder with whatever is mounted below it: host path, path, how.
    Bind(String, String, BindMode),
    /// A private file system in memory: path, bytes at most, mode.
    Memory(String, u64, u64),
    /// An empty read-only folder over what is there.
    Cover(String),
    /// A fresh /proc, nothing in it writable.
    Proc(String),
    /// Private pseudo terminals.
    Terminals(String),
    /// What was made with `Folder`, `File`, `Link` is read-only from here on.
    Seal(String),
}

/// What may be done through a bind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum BindMode {
    /// Read-only, nosuid, nodev.
    ReadOnly,
    /// Writable, nosuid, nodev.
    Writable,
    /// A device file: nosuid, noexec, writable.
    Device,
}

/// One landlock rule.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rule {
    /// Host path; one that is not there is left out.
    pub path: String,
    /// Written below it, too.
    pub write: bool,
}

/// rlimits; 0 means "as it is".
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Bounds {
    /// RLIMIT_NPROC.
    pub processes: u64,
    /// RLIMIT_FSIZE.
    pub file_size: u64,
    /// RLIMIT_DATA.
    pub memory: u64,
}

/// A value with bytes.
pub(super) trait Wire: Sized {
    /// Appends the bytes.
    fn put(&self, to: &mut Vec<u8>);
    /// Takes them off the front; `None` when they are not of this kind.
    fn take(from: &mut &[u8]) -> Option<Self>;
}

impl Spec {
    /// The bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.put(&mut bytes);
        bytes
    }

    /// The value; `None` for other bytes or a rest.
    pub fn decode(mut bytes: &[u8]) -> Option<Self> {
        let spec = Self::take(&mut bytes)?;
        bytes.is_empty().then_some(spec)
    }
}

impl Wire for u64 {
    fn put(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.to_le_bytes());
    }
    fn take(from: &mut &[u8]) -> Option<Self> {
        let (first, rest) = from.split_first_chunk::<8>()?;
        *from = rest;
        Some(u64::from_le_bytes(*first))
    }
}

impl Wire for u8 {
    fn put(&self, to: &mut Vec<u8>) {
        to.push(*self);
    }
    fn take(from: &mut &[u8]) -> Option<Self> {
        let (first, rest) = from.split_first()?;
        *from = rest;
        Some(*first)
    }
}

impl Wire for bool {
    fn put(&self, to: &mut Vec<u8>) {
        to.push(u8::from(*self));
    }
    fn take(from: &mut &[u8]) -> Option<Self> {
        Some(u8::take(from)? != 0)
    }
}

impl Wire for String {
    fn put(&self, to: &mut Vec<u8>) {
        (self.len() as u64).put(to);
        to.extend_from_slice(self.as_bytes());
    }
    fn take(from: &mut &[u8]) -> Option<Self> {
        String::from_utf8(Vec::take(from)?).ok()
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn put(&self, to: &mut Vec<u8>) {
        (self.len() as u64).put(to);
        self.iter().for_each(|item| item.put(to));
    }
    fn take(from: &mut &[u8]) -> Option<Self> {
        let count = usize::try_from(u64::take(from)?).ok()?;
        // Every item has a byte at least: a wrong count cannot make us allocate.
        if count > from.len() {
            return None;
        }
        (0..count).map(|_| T::take(from)).collect()
    }
}

impl<T: Wire> Wire for Option<T> {
    fn put(&self, to: &mut Vec<u8>) {
        self.is_some().put(to);
        if let Some(value) = self {
            value.put(to);
        }
    }
    fn take(from: &mut &[u8]) -> Option<Self> {
        if bool::take(from)? { Some(Some(T::take(from)?)) } else { Some(None) }
    }
}

impl<A: Wire, B: Wire> Wire for (A, B) {
    fn put(&self, to: &mut Vec<u8>) {
        self.0.put(to);
        self.1.put(to);
    }
    fn take(from: &mut &[u8]) -> Option<Self> {
        Some((A::take(from)?, B::take(from)?))
    }
}

/// Field by field, in the order of the list.
macro_rules! wire_struct {
    ($name:ident: $($field:ident),*) => {
        impl Wire for $name {
            fn put(&self, to: &mut Vec<u8>) {
                $(self.$field.put(to);)*
            }
            fn take(from: &mut &[u8]) -> Option<Self> {
                Some(Self { $($field: Wire::take(from)?),* })
            }
        }
    };
}

/// A tag, then the fields.
macro_rules! wire_enum {
    ($name:ident: $($tag:literal => $variant:ident $(($($item:ident),*))?),*) => {
        impl Wire for $name {
            fn put(&self, to: &mut Vec<u8>) {
                match self {
                    $(Self::$variant $(($($item),*))? => {
                        to.push($tag);
                        $($($item.put(to);)*)?
                    })*
                }
            }
            fn take(from: &mut &[u8]) -> Option<Self> {
                match u8::take(from)? {
                    $($tag => {
                        $($(let $item = Wire::take(from)?;)*)?
                        Some(Self::$variant $(($($item),*))?)
                    })*
                    _ => None,
                }
            }
        }
    };
}

wire_struct!(Spec: level, argv, env, cwd, build, source, files, who, root, rules, bounds, serves);
wire_struct!(Root: at, steps);
wire_struct!(Rule: path, write);
wire_struct!(Bounds: processes, file_size, memory);
wire_enum!(Level: 0 => Env, 1 => Landlock, 2 => Full);
wire_enum!(Who: 0 => Invoker, 1 => Becomes(uid, gid), 2 => Mapped(uid, gid));
wire_enum!(BindMode: 0 => ReadOnly, 1 => Writable, 2 => Device);
wire_enum!(Step: 0 => Folder(path), 1 => File(path, bytes), 2 => Link(path, target), 3 => Bind(from, to, mode),
    4 => Memory(path, size, mode), 5 => Cover(path), 6 => Proc(path), 7 => Terminals(path), 8 => Seal(path));
