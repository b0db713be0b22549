//! Platform tags, best first (PEP 425, 600, 656).
//!
//! Knows only facts. Must never look at the machine.

use super::Facts;

/// The platform part of every tag an interpreter accepts, without `any`.
/// `musl` is the version of the C library when that is musl.
pub fn platforms(facts: &Facts, musl: Option<(u32, u32)>) -> Vec<String> {
    let own = facts.platform.replace(['-', '.', ' '], "_");
    if let Some(arch) = own.strip_prefix("macosx_") {
        return macos(facts, arch.rsplit_once("_").map_or(arch, |_| mac_arch(arch)));
    }
    let Some(arch) = own.strip_prefix("linux_") else { return vec![own] };
    let archs: &[&str] = match (arch, facts.bits) {
        ("x86_64", 32) => &["i686"],
        ("aarch64", 32) | ("armv8l", _) => &["armv8l", "armv7l"],
        (arch, _) => &[arch],
    };
    let mut tags = Vec::new();
    if let Some(glibc) = glibc(&facts.libc) {
        archs.iter().for_each(|arch| manylinux(arch, glibc, &mut tags));
    }
    if let Some((major, minor)) = musl {
        for arch in archs {
            tags.extend((0..=minor).rev().map(|m| format!("musllinux_{major}_{m}_{arch}")));
        }
    }
    tags.extend(archs.iter().map(|arch| format!("linux_{arch}")));
    tags
}

/// `(2, 36)` of `glibc 2.36`.
fn glibc(text: &str) -> Option<(u32, u32)> {
    let version = text.strip_prefix("glibc ")?;
    let mut numbers =
        version.split('.').map(|n| n.chars().take_while(char::is_ascii_digit).collect::<String>());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// PEP 600, with the names of PEP 513, 571 and 599 beside their own version.
fn manylinux(arch: &str, (major, newest): (u32, u32), tags: &mut Vec<String>) {
    if major != 2 {
        return;
    }
    let oldest = if matches!(arch, "x86_64" | "i686") { 5 } else { 17 };
    for minor in (oldest..=newest).rev() {
        tags.push(format!("manylinux_2_{minor}_{arch}"));
        let old_name = match minor {
            17 => "manylinux2014",
            12 => "manylinux2010",
            5 => "manylinux1",
            _ => continue,
        };
        tags.push(format!("{old_name}_{arch}"));
    }
}

fn mac_arch(text: &str) -> &str {
    ["arm64", "x86_64"].into_iter().find(|arch| text.ends_with(arch)).unwrap_or("universal2")
}

/// macOS 11 and later count by major version; 10.x runs x86-64 only.
fn macos(facts: &Facts, arch: &str) -> Vec<String> {
    let mut numbers = facts.mac_version.split('.').map_while(|n| n.parse::<u32>().ok());
    let (major, minor) = (numbers.next().unwrap_or(11), numbers.next().unwrap_or(0));
    let mut tags = Vec::new();
    let mut both = |major: u32, minor: u32, formats: &[&str]| {
        tags.extend(formats.iter().map(|format| format!("macosx_{major}_{minor}_{format}")));
    };
    for m in (11..=major).rev() {
        both(m, 0, if arch == "arm64" { &["arm64", "universal2"] } else { &INTEL });
    }
    let newest_ten = if major > 10 { 16 } else { minor };
    for m in (4..=newest_ten).rev() {
        both(10, m, if arch == "arm64" { &["universal2"] } else { &INTEL });
    }
    tags
}

const INTEL: [&str; 5] = ["x86_64", "intel", "fat64", "fat32", "universal2"];
