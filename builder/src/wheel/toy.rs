//! Toy wheels for tests. Must never be part of the tool.

use super::archive::{self, Archive, Bad, Limits, Member};
use super::content::Spool;
use super::record;
use crate::tree::RelPath;
use recipes::diag::Finding;

/// A wheel in the making.
#[derive(Clone)]
pub struct Toy {
    pub name: String,
    pub version: String,
    pub tag: String,
    pub metadata: String,
    pub files: Vec<(String, Vec<u8>)>,
}

/// A pure wheel of some files with a body.
pub fn toy(name: &str, version: &str, files: &[(&str, &str)]) -> Toy {
    Toy {
        name: name.into(),
        version: version.into(),
        tag: "py3-none-any".into(),
        metadata: String::new(),
        files: files.iter().map(|(p, t)| ((*p).to_owned(), t.as_bytes().to_vec())).collect(),
    }
}

impl Toy {
    /// Adds METADATA headers.
    pub fn headers(mut self, text: &str) -> Self {
        self.metadata.push_str(text);
        self
    }

    /// Sets the tag.
    pub fn tag(mut self, tag: &str) -> Self {
        self.tag = tag.into();
        self
    }

    /// Adds a file.
    pub fn file(mut self, path: &str, bytes: &[u8]) -> Self {
        self.files.push((path.into(), bytes.to_vec()));
        self
    }

    /// `name-1.dist-info`.
    pub fn dist_info(&self) -> String {
        format!("{}-{}.dist-info", self.name, self.version)
    }

    /// The wheel's file name.
    pub fn file_name(&self) -> String {
        format!("{}-{}-{}.whl", self.name, self.version, self.tag)
    }

    /// All members, RECORD included, in the order given.
    pub fn members(&self) -> Vec<Member> {
        let folder = self.dist_info();
        let metadata = format!(
            "Metadata-Version: 2.1\nName: {}\nVersion: {}\n{}\nBody.\n",
            self.name, self.version, self.metadata
        );
        let pure = self.tag.ends_with("-any");
        let info =
            format!("Wheel-Version: 1.0\nGenerator: toy\nRoot-Is-Purelib: {pure}\nTag: {}\n", self.tag);
        let mut files = self.files.clone();
        files.push((format!("{folder}/METADATA"), metadata.into_bytes()));
        files.push((format!("{folder}/WHEEL"), info.into_bytes()));
        let record: String =
            files.iter().map(|(p, b)| record::line(p, &record::hash_of(b), Some(b.len() as u64))).collect();
        files.push((format!("{folder}/RECORD"), format!("{record}{folder}/RECORD,,\n").into_bytes()));
        files
            .into_iter()
            .map(|(path, bytes)| Member {
                path: RelPath::new(path).unwrap(),
                bytes: bytes.into(),
                executable: false,
            })
            .collect()
    }

    /// The archive.
    pub fn bytes(&self) -> Vec<u8> {
        zip(&self.members()).unwrap()
    }

    /// The wheel, read.
    pub fn wheel(&self) -> super::Wheel {
        parse(&self.file_name(), &self.bytes()).unwrap()
    }
}

/// Members as an archive, all of it held.
pub fn zip(members: &[Member]) -> Result<Vec<u8>, Vec<String>> {
    match archive::write(members, &Spool::nowhere()) {
        Ok(written) => Ok(written.memory().unwrap().to_vec()),
        Err(bad) => Err(sentences(bad)),
    }
}

/// An archive's members, all of them held.
pub fn unzip(bytes: &[u8], limits: &Limits) -> Result<Vec<Member>, Vec<String>> {
    let archive = Archive::Memory(bytes.to_vec());
    archive::read(&archive, limits, (|_: &RelPath| false, &Spool::nowhere())).map_err(sentences)
}

fn sentences(bad: Bad) -> Vec<String> {
    match bad {
        Bad::Archive(said) => said,
        Bad::Machine(e) => panic!("{e}"),
    }
}

/// The findings of what is refused.
pub fn findings<T>(result: Result<T, super::Trouble>) -> Result<T, Vec<Finding>> {
    result.map_err(|trouble| match trouble {
        super::Trouble::Findings(all) => all,
        super::Trouble::Machine(e) => panic!("{e}"),
    })
}

/// A wheel of some bytes.
pub fn parse(file_name: &str, bytes: &[u8]) -> Result<super::Wheel, Vec<Finding>> {
    findings(super::Wheel::open(file_name, &Archive::Memory(bytes.to_vec()), &Spool::nowhere()))
}

/// CPython 3.11 on Linux.
pub fn target() -> recipes::target::Target {
    let markers = pep508_rs::MarkerEnvironment::try_from(pep508_rs::MarkerEnvironmentBuilder {
        implementation_name: "cpython",
        implementation_version: "3.11.7",
        os_name: "posix",
        platform_machine: "x86_64",
        platform_python_implementation: "CPython",
        platform_release: "6.1",
        platform_system: "Linux",
        platform_version: "1",
        python_full_version: "3.11.7",
        python_version: "3.11",
        sys_platform: "linux",
    })
    .unwrap();
    recipes::target::Target { markers, tags: vec!["py3-none-any".into()] }
}
