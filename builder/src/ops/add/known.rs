//! Facts about projects that none of their files says in a way that can be
//! read: libraries and programs of the host, packages they import undeclared.
//!
//! Knows names: an entry is a fact about a project. Must never hold what could
//! be read from a project's own files.

/// Libraries of the host that projects are compiled against, whatever else
/// their files say: PEP 725 names without `pkg:generic/`.
const LIBRARIES: [(&str, &[&str]); 15] = [
    ("cffi", &["libffi"]),
    ("cryptography", &["openssl"]),
    ("dbus-python", &["dbus"]),
    ("google-crc32c", &["crc32c"]),
    ("h5py", &["hdf5"]),
    ("lxml", &["libxml2", "libxslt"]),
    ("mysqlclient", &["mysqlclient"]),
    ("pillow", &["libjpeg", "zlib"]),
    ("psycopg-c", &["libpq"]),
    ("psycopg2", &["libpq"]),
    ("pycairo", &["cairo"]),
    ("pycurl", &["curl"]),
    ("pyzmq", &["zeromq"]),
    ("scipy", &["openblas"]),
    ("xmlsec", &["libxml2", "xmlsec"]),
];

/// Programs of the host without which a project cannot even be imported.
const PROGRAMS: [(&str, &[&str]); 1] = [("gitpython", &["git"])];

/// Packages that a project imports at once and does not require, mostly
/// because they require it.
const UNDECLARED: [(&str, &[&str]); 2] =
    [("jupyter-server-terminals", &["jupyter-server"]), ("soupsieve", &["beautifulsoup4"])];

/// Projects that can only be imported beside something that neither they nor
/// what requires them require: matplotlib, of which the one is a backend, and
/// an old setuptools.
const PARTS_OF_OTHERS: [&str; 2] = ["matplotlib-inline", "pytest-runner"];

/// What a compiled project needs of the host (`[external] host-requires`).
pub fn libraries(project: &str) -> Vec<String> {
    generic(&LIBRARIES, project)
}

/// What a project runs (`[external] dependencies`).
pub fn programs(project: &str) -> Vec<String> {
    generic(&PROGRAMS, project)
}

/// Requirements to add to what a project says.
pub fn undeclared(project: &str) -> &'static [&'static str] {
    of(&UNDECLARED, project)
}

/// Whether an import check of it is of no use.
pub fn is_imported_by_others(project: &str) -> bool {
    PARTS_OF_OTHERS.contains(&project)
}

fn of(table: &[(&str, &'static [&'static str])], project: &str) -> &'static [&'static str] {
    table.iter().find(|(name, _)| *name == project).map_or(&[], |(_, all)| all)
}

fn generic(table: &[(&str, &'static [&'static str])], project: &str) -> Vec<String> {
    of(table, project).iter().map(|name| format!("pkg:generic/{name}")).collect()
}
