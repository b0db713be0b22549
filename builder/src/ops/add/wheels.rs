//! Which wheel a recipe takes on which platform.
//!
//! Knows platform tags and the markers that tell platforms apart. Must never
//! know what is in a wheel.

use std::collections::{BTreeMap, BTreeSet};

use recipes::name::{PackageName, Version};
use recipes::target::Target;

use super::draft::Prebuilt;
use super::market::Market;
use crate::error::{Error, Result};

/// Platforms by the markers that tell them apart: those of a recipe, with the
/// words of the tags of their wheels. Of Linux those of glibc: no marker tells
/// musl apart.
const PLATFORMS: [(&str, &str, &[&str]); 6] = [
    ("linux", "x86_64", &["manylinux", "linux_x86_64"]),
    ("linux", "aarch64", &["manylinux", "linux_aarch64"]),
    ("darwin", "arm64", &["macosx"]),
    ("darwin", "x86_64", &["macosx"]),
    ("win32", "AMD64", &["win_amd64"]),
    ("win32", "ARM64", &["win_arm64"]),
];

/// The wheels of a version that its recipe takes, with their hashes.
pub fn prebuilt(
    market: &Market<'_>,
    (name, version): &(PackageName, Version),
    targets: &[Target],
) -> Result<Vec<Prebuilt>> {
    let offer = market.offer(name, version)?;
    let files: Vec<&str> = offer.wheels.iter().map(|w| w.name.as_str()).collect();
    let chosen = choose(&files, targets).into_iter().map(|(when, file)| {
        let wheel = offer.wheels.iter().find(|w| w.name == file);
        let wheel = wheel.ok_or_else(|| Error::bug(format!("`{file}` is gone")))?;
        Ok(Prebuilt { when, file: file.to_owned(), hash: market.hash_of(name, wheel)? })
    });
    chosen.collect()
}

/// Files by the marker of what they are for; one without is for all. Only of
/// interpreters that are wanted.
pub fn choose<'f>(files: &[&'f str], targets: &[Target]) -> Vec<(Option<String>, &'f str)> {
    if let Some(pure) = files.iter().find(|f| f.ends_with("-none-any.whl") && fits_all(f, targets)) {
        return vec![(None, pure)];
    }
    let minors: BTreeSet<u64> = targets.iter().filter_map(|t| t.python().release().get(1).copied()).collect();
    let mut out = Vec::new();
    for (system, machine, words) in PLATFORMS {
        let of_platform: Vec<&str> =
            files.iter().copied().filter(|f| is_for(f, (system, machine), words)).collect();
        // For the platform of this machine its own tags decide, for others the
        // oldest platform of the best interpreter's tag.
        let best = |minor: u64| -> Option<&'f str> {
            let own = targets.iter().find(|t| is_target(t, (system, machine), minor));
            let fit = of_platform.iter().filter_map(|file| {
                let rank = match own {
                    Some(target) => target.rank(file).ok().flatten()?,
                    None => python_rank(file, minor)?,
                };
                Some((rank, *file))
            });
            fit.min().map(|(_, file)| file)
        };
        let chosen: BTreeMap<u64, &str> =
            minors.iter().filter_map(|minor| Some((*minor, best(*minor)?))).collect();
        let marker = format!("sys_platform == '{system}' and platform_machine == '{machine}'");
        let distinct: BTreeSet<&str> = chosen.values().copied().collect();
        match (distinct.len(), chosen.len() == minors.len()) {
            (1, true) => out.extend(distinct.into_iter().map(|file| (Some(marker.clone()), file))),
            _ => out.extend(
                chosen
                    .into_iter()
                    .map(|(minor, file)| (Some(format!("{marker} and python_version == '3.{minor}'")), file)),
            ),
        }
    }
    out
}

fn fits_all(file: &str, targets: &[Target]) -> bool {
    targets.iter().all(|target| matches!(target.rank(file), Ok(Some(_))))
}

fn is_target(target: &Target, (system, machine): (&str, &str), minor: u64) -> bool {
    let markers = &target.markers;
    markers.sys_platform() == system
        && markers.platform_machine() == machine
        && target.python().release().get(1) == Some(&minor)
}

/// The three tags at the end of a wheel's name.
fn tags(file: &str) -> Option<(&str, &str, &str)> {
    let mut parts = file.strip_suffix(".whl")?.rsplit('-');
    let platform = parts.next()?;
    let abi = parts.next()?;
    Some((parts.next()?, abi, platform))
}

fn is_for(file: &str, (system, machine): (&str, &str), words: &[&str]) -> bool {
    let Some((_, _, platforms)) = tags(file) else { return false };
    platforms.split('.').any(|platform| {
        let machine_fits = match system {
            "win32" => true,
            "darwin" => platform.ends_with(machine) || platform.ends_with("universal2"),
            _ => platform.ends_with(machine),
        };
        machine_fits && words.iter().any(|word| platform.starts_with(word))
    })
}

/// How well a wheel's interpreter tag fits CPython 3.`minor`; lower is better.
fn python_rank(file: &str, minor: u64) -> Option<usize> {
    let (pythons, abis, _) = tags(file)?;
    let own = format!("cp3{minor}");
    let is_own = pythons.split('.').any(|p| p == own);
    if is_own && abis.split('.').any(|abi| abi == own) {
        return Some(0);
    }
    let of = |prefix: &str| {
        let minors = pythons.split('.').filter_map(|p| p.strip_prefix(prefix)?.parse::<u64>().ok());
        minors.filter(|m| *m <= minor).max()
    };
    if let Some(oldest) = of("cp3").filter(|_| abis.split('.').any(|abi| abi == "abi3")) {
        return Some(1 + (minor - oldest) as usize);
    }
    let any = abis == "none" && (pythons.split('.').any(|p| p == "py3") || is_own || of("py3").is_some());
    any.then_some(1000)
}

#[cfg(test)]
mod tests {
    use recipes::target::cpython_tags;

    use super::*;

    fn told(files: &[&str], minors: &[u32]) -> Vec<String> {
        let targets: Vec<Target> = minors.iter().map(|minor| target(*minor)).collect();
        choose(files, &targets)
            .into_iter()
            .map(|(when, file)| format!("{} -> {file}", when.unwrap_or_else(|| "all".into())))
            .collect()
    }

    fn target(minor: u32) -> Target {
        let (version, full) = (format!("3.{minor}"), format!("3.{minor}.1"));
        let markers = pep508_rs::MarkerEnvironmentBuilder {
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
        let platforms = ["manylinux_2_17_x86_64", "manylinux2014_x86_64", "linux_x86_64"].map(str::to_owned);
        let tags = cpython_tags((3, minor), &format!("cp3{minor}"), &platforms);
        Target { markers: markers.try_into().unwrap(), tags }
    }

    #[test]
    fn one_for_all_is_taken_for_all() {
        let files = ["a-1-py3-none-any.whl", "a-1-cp312-cp312-manylinux2014_x86_64.whl"];
        assert_eq!(told(&files, &[11, 12]), ["all -> a-1-py3-none-any.whl"]);
    }

    #[test]
    fn platforms_and_interpreters_are_told_apart_by_markers() {
        let files = [
            "a-1-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
            "a-1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
            "a-1-cp310-cp310-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
            "a-1-cp312-cp312-musllinux_1_1_x86_64.whl",
            "a-1-cp39-abi3-macosx_10_9_universal2.whl",
            "a-1-cp312-cp312-win_amd64.whl",
        ];
        assert_eq!(
            told(&files, &[11, 12]),
            [
                "sys_platform == 'linux' and platform_machine == 'x86_64' and python_version == '3.11' -> a-1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
                "sys_platform == 'linux' and platform_machine == 'x86_64' and python_version == '3.12' -> a-1-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
                "sys_platform == 'darwin' and platform_machine == 'arm64' -> a-1-cp39-abi3-macosx_10_9_universal2.whl",
                "sys_platform == 'darwin' and platform_machine == 'x86_64' -> a-1-cp39-abi3-macosx_10_9_universal2.whl",
                "sys_platform == 'win32' and platform_machine == 'AMD64' and python_version == '3.12' -> a-1-cp312-cp312-win_amd64.whl",
            ]
        );
    }
}
