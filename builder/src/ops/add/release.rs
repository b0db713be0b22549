//! The draft of one release.
//!
//! Knows which of its files a recipe is made of. Must never choose a version.

use recipes::name::{PackageName, Version};
use recipes::target::Target;

use super::draft::{Draft, Metadata, Purpose};
use super::market::{Form, Market};
use super::wheels;
use crate::error::Result;

/// From its sdist, or from its wheels for these interpreters.
pub fn draft(
    (market, targets): (&Market<'_>, &[Target]),
    (name, version): (&PackageName, &Version),
    (form, metadata): (Form, &Metadata),
    purpose: &Purpose,
) -> Result<Draft> {
    Ok(match form {
        Form::Sdist => {
            let sdist = market.sdist(name, version)?;
            Draft::new((name, version), sdist.sha256, (&sdist.facts, metadata), purpose)
        }
        Form::Wheel => {
            let named = (name.clone(), version.clone());
            let metadata = market.with_source(&named, metadata);
            let files = wheels::prebuilt(market, &named, targets)?;
            Draft::of_wheels((name, version), &files, &metadata, purpose)
        }
    })
}
