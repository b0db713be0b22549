//! The way to the network, made when something is really wanted from it.
//!
//! Knows where index configuration and certificates come from. Must never
//! know what is fetched.

use std::sync::Arc;

use recipes::workspace::Workspace;

use crate::error::Result;
use crate::fetch::Fetcher;
use crate::index::{Carrier, Config, Index, Memo, Named, Pages};
use crate::ops::machines::Machines;

/// The index and the fetcher of a run.
pub fn open(machines: &Machines, workspace: &Workspace) -> Result<(Arc<Index>, Fetcher)> {
    let facts = &machines.interpreter.facts;
    let carrier = Carrier {
        site_packages: machines.interpreter.pip_places(),
        stdlib: Some(facts.stdlib.clone()),
        wheel_pkg_dir: Some(facts.wheel_pkg_dir.clone()).filter(|d| !d.as_os_str().is_empty()),
        prefix: Some(facts.base_prefix.clone()),
    };
    let (store, other) = (machines.store.clone(), machines.store.clone());
    let memo = Memo {
        recall: Box::new(move |key| store.recall("index", key).ok().flatten()),
        // Forgetting costs a look at the files next time, no more.
        remember: Box::new(move |key, value| drop(other.remember("index", key, value))),
    };
    let named: Vec<Named> = workspace
        .indexes
        .iter()
        .map(|index| {
            // The file is shown relative to where we were started.
            let file = machines.ambient.absolute(index.place.file.path.as_ref());
            let beside = |name: &String| file.parent().unwrap_or(&file).join(name);
            Named {
                name: index.name.clone(),
                url: index.url.clone(),
                default: index.default,
                cert: index.cert.as_ref().map(beside),
                client_cert: index.client_cert.as_ref().map(beside),
            }
        })
        .collect();
    let mut config = Config::load(&machines.ambient, &named, carrier, memo)?;
    config.http.offline = machines.settings.offline;
    config.http.stop = machines.shared_stop_flag();
    let pages = Pages {
        folder: machines.store.root().join("pages"),
        refresh: machines.settings.refresh,
        now: machines.ambient.now,
    };
    let (index, fetcher) = Index::open(&machines.ambient, config, pages);
    Ok((index, fetcher.resuming(machines.store.partial_dir())))
}
