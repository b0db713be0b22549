//! The stable codes of findings about wheels and installs, one line each.
//!
//! A code's meaning never changes. Must never know how findings are made.

use recipes::diag::Code;

/// The file name is not a PEP 427 wheel name.
pub const FILE_NAME: Code = Code("L001");
/// The zip archive is damaged or uses something a wheel must not.
pub const ARCHIVE: Code = Code("L002");
/// There is not exactly one `.dist-info` folder, or it has another name.
pub const DIST_INFO: Code = Code("L003");
/// METADATA is missing or malformed.
pub const METADATA: Code = Code("L004");
/// WHEEL is missing or malformed.
pub const WHEEL: Code = Code("L005");
/// RECORD is missing, incomplete or untrue.
pub const RECORD: Code = Code("L006");
/// entry_points.txt is malformed.
pub const ENTRY_POINTS: Code = Code("L007");
/// `[relax]` names a requirement the wheel does not have.
pub const RELAX_UNKNOWN: Code = Code("L101");
/// A namespace's `__init__.py` has code in it.
pub const NAMESPACE_CODE: Code = Code("L102");
/// A namespace of the recipe does not occur in the wheel.
pub const NAMESPACE_UNKNOWN: Code = Code("L103");
/// The tags of the file name, of WHEEL and the content disagree.
pub const TAGS: Code = Code("L201");
/// The wheel is not `expect = "native"` or `"pure"`.
pub const EXPECT: Code = Code("L202");
/// A compiled file is for another machine than the tag says.
pub const MACHINE: Code = Code("L203");
/// METADATA's name or version is not the recipe's.
pub const IDENTITY: Code = Code("L204");
/// A path of the build is inside a member.
pub const BUILD_PATH: Code = Code("L205");
/// A script or entry point has a name that is not a plain file name.
pub const SCRIPT_NAME: Code = Code("L206");
/// A licence file METADATA promises is not there.
pub const LICENSE_FILE: Code = Code("L207");
/// A file would be installed where it must not be.
pub const PLACEMENT: Code = Code("L208");
/// Files at the top of the wheel that belong to no package.
pub const TOP_LEVEL: Code = Code("L209");
/// A script's first line names an interpreter of the build.
pub const SHEBANG: Code = Code("L210");
/// A compiled file has an absolute library search path.
pub const RUNPATH: Code = Code("L211");
/// A requirement of the wheel is not in the closure.
pub const REQUIRES_MISSING: Code = Code("L401");
/// A requirement of the wheel is in the closure in another version.
pub const REQUIRES_VERSION: Code = Code("L402");
/// A requirement of the wheel cannot be read.
pub const REQUIRES_TEXT: Code = Code("L403");
/// Something in an environment cannot be imported, with the reason.
pub const NOT_A_MODULE: Code = Code("L501");
/// One name twice in an environment.
pub const TWO_VERSIONS: Code = Code("L502");
/// Two packages own one path of an environment.
pub const TWO_OWNERS: Code = Code("L503");
/// A `[wrap]` value that cannot be put in a launcher.
pub const WRAP: Code = Code("L504");
