//! Fork servers: which live, and for what.
//!
//! Knows how many there may be and when one is given up. Must never know what
//! they have loaded.

use std::collections::BTreeMap;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::process::Child;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, Shutdown, SocketFlags, SocketType, socketpair};

use super::cgroup::Group;
use super::ready::ready;
use super::spec::{Spec, Wire};
use super::standby::{self, Made, Standby, Wanted};
use super::talk::{self, Inbox, Message};
use super::{Local, init, orders};
use crate::error::{Error, IoContext, Result};
use crate::exec::Stop;
use crate::exec::action::{Action, HostView, Input, Limits, Warm};
use crate::tree::RelPath;

/// Servers that live at once, however much memory there is.
const MOST: u64 = 16;
/// What one is expected to hold, bytes.
const EACH: u64 = 96 << 20;
/// What one may hold itself where groups can be made, bytes.
const LIMIT: u64 = 1 << 30;
/// How long a server may take to come up, or to go.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a build is left alone before the next one's child is forked. A small
/// one has ended by then, which its server could not tell while it forks.
const SOON: Duration = Duration::from_millis(5);
/// Calls that may get lost before a kind of server is given up.
const CHANCES: u32 = 2;

/// The servers of one executor.
pub(super) struct Servers {
    pool: Mutex<Pool>,
    most: usize,
}

#[derive(Default)]
struct Pool {
    /// The least recently used first.
    live: Vec<Arc<Server>>,
    /// Calls lost, by kind.
    lost: Vec<(Kind, u32)>,
    keeper: Option<Arc<Keeper>>,
    /// Those that make what will be needed next.
    ahead: Vec<JoinHandle<()>>,
}

/// What actions must agree in to share a server.
#[derive(Clone, PartialEq)]
struct Kind {
    argv: Vec<String>,
    env: BTreeMap<String, String>,
    inputs: BTreeMap<String, Input>,
    host_paths: Vec<PathBuf>,
    view: HostView,
    files: BTreeMap<RelPath, Vec<u8>>,
    /// What it loads: once it has forked, what it starts would be born elsewhere.
    order: String,
    cwd: String,
    /// Bytes and processes: of all children of one server together.
    bounds: (u64, u64),
}

impl Kind {
    fn of(action: &Action, warm: &Warm) -> Self {
        Self {
            argv: warm.argv.clone(),
            env: action.env.clone(),
            inputs: action.inputs.clone(),
            host_paths: action.host_paths.clone(),
            view: action.view,
            files: warm.files.clone(),
            order: warm.order.clone(),
            cwd: action.cwd.clone(),
            bounds: (action.limits.memory, action.limits.processes),
        }
    }
}

/// One fork server. Dropped, it and all its cells end.
pub(super) struct Server {
    kind: Kind,
    /// How long it may take until a child of it is there.
    pub patience: Duration,
    /// Made by the first who needs it; the others wait for that one only.
    domain: OnceLock<std::result::Result<Domain, String>>,
    /// What waits for the next call.
    standby: Mutex<Next>,
    /// Somebody made it, or could not.
    made: Condvar,
}

/// What the next call of a server has.
#[derive(Default)]
enum Next {
    #[default]
    Nothing,
    /// Somebody makes it, without a pause when `hurry` is dropped; whether there
    /// is a call that waits for it.
    Coming {
        hurry: Option<mpsc::Sender<()>>,
        awaited: bool,
    },
    Waits(Box<Standby>),
}

/// A running server with its init.
struct Domain {
    /// Orders for cells.
    control: Mutex<OwnedFd>,
    /// Orders for children.
    serve: Mutex<OwnedFd>,
    child: Mutex<Child>,
    _group: Option<Group>,
    _folder: tempfile::TempDir,
}

impl Servers {
    /// None yet; `free` bytes of memory are there in all.
    pub fn new(free: u64) -> Self {
        let most = (free / 8 / EACH).clamp(1, MOST);
        Self { pool: Mutex::default(), most: usize::try_from(most).unwrap_or(1) }
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The server for this action, started when there is none. The error is
    /// the reason why there is none: it was given up, or there is no room.
    pub fn get(
        &self,
        local: &Local,
        action: &Action,
        (warm, stop): (&Warm, &Stop),
    ) -> std::result::Result<Arc<Server>, String> {
        let (server, keeper) = self.room_for(Kind::of(action, warm), local.options.server_patience)?;
        let made = server.domain.get_or_init(|| {
            Domain::start(local, action, warm, (&keeper, stop)).map_err(|error| error.to_string())
        });
        match made {
            Ok(_) => Ok(server),
            Err(because) => {
                // Without one everything is as it should be, only slower.
                self.give_up(&server, true);
                Err(because.clone())
            }
        }
    }

    /// In the thread that lives as long as these servers: what is started dies
    /// with it.
    pub fn in_keeper<T: Send + 'static>(
        &self,
        task: impl FnOnce() -> std::io::Result<T> + Send + 'static,
    ) -> std::io::Result<T> {
        let keeper = Arc::clone(self.pool().keeper.get_or_insert_with(|| Arc::new(Keeper::start())));
        keeper.run(task)
    }

    /// Whether there is no server yet for this action, and one more would not
    /// cost another its place.
    pub fn may_start(&self, action: &Action, warm: &Warm) -> bool {
        let (kind, pool) = (Kind::of(action, warm), self.pool());
        pool.live.len() < self.most && !pool.live.iter().any(|server| server.kind == kind)
    }

    fn room_for(
        &self,
        kind: Kind,
        patience: Duration,
    ) -> std::result::Result<(Arc<Server>, Arc<Keeper>), String> {
        let mut pool = self.pool();
        if pool.lost.iter().any(|(given_up, times)| *times >= CHANCES && *given_up == kind) {
            return Err("its fork server was given up".to_owned());
        }
        let known = pool.live.iter().position(|server| server.kind == kind);
        let server = match known {
            Some(at) => pool.live.remove(at),
            None => {
                if pool.live.len() >= self.most {
                    let idle = pool.live.iter().position(|server| Arc::strong_count(server) == 1);
                    pool.live.remove(idle.ok_or("all fork servers are busy")?);
                }
                let (domain, standby, made) = (OnceLock::new(), Mutex::default(), Condvar::new());
                Arc::new(Server { kind, patience, domain, standby, made })
            }
        };
        pool.live.push(Arc::clone(&server));
        let keeper = pool.keeper.get_or_insert_with(|| Arc::new(Keeper::start()));
        Ok((server, Arc::clone(keeper)))
    }

    /// Makes what the next call of this server needs, meanwhile; what the server
    /// itself has to do for it soon, or as soon as anybody hurries it.
    pub fn make_ahead(&self, server: &Arc<Server>, wanted: Wanted, stop: &Stop) {
        let (hurry, hurried) = mpsc::channel();
        {
            let mut next = server.next();
            if !matches!(*next, Next::Nothing) {
                return;
            }
            *next = Next::Coming { hurry: Some(hurry), awaited: false };
        }
        let (server, stop) = (Arc::clone(server), stop.clone());
        let mut pool = self.pool();
        pool.ahead.retain(|thread| !thread.is_finished());
        pool.ahead.push(std::thread::spawn(move || {
            let pause = || {
                let _ = hurried.recv_timeout(SOON);
            };
            let made = standby::make(&server, wanted, &stop, pause);
            *server.next() = match made {
                Ok(Made::Ready(made)) => Next::Waits(made),
                // Whatever is wrong here is met by the next call, which tells.
                _ => Next::Nothing,
            };
            server.made.notify_all();
        }));
    }

    /// A call got lost with this server; `for_good` when another would lose it, too.
    pub fn give_up(&self, server: &Arc<Server>, for_good: bool) {
        let mut pool = self.pool();
        pool.live.retain(|live| !Arc::ptr_eq(live, server));
        let more = if for_good { CHANCES } else { 1 };
        match pool.lost.iter_mut().find(|(kind, _)| *kind == server.kind) {
            Some((_, times)) => *times += more,
            None => pool.lost.push((server.kind.clone(), more)),
        }
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        let pool = self.pool.get_mut().unwrap_or_else(PoisonError::into_inner);
        // All are told before the first is waited for.
        for domain in pool.live.iter().filter_map(|server| server.domain()) {
            domain.let_go();
        }
        // They see the end of what they speak to.
        pool.ahead.drain(..).for_each(|thread| drop(thread.join()));
        pool.live.clear();
        pool.keeper = None;
    }
}

impl Server {
    fn domain(&self) -> Option<&Domain> {
        self.domain.get()?.as_ref().ok()
    }

    /// What waits for this action, if anything does. What is coming is waited
    /// for, by one: nothing that is begun now would be there before.
    pub fn take(&self, wanted: &Wanted) -> Option<Box<Standby>> {
        let mut next = self.next();
        if let Next::Coming { hurry, awaited: awaited @ false } = &mut *next {
            (*hurry, *awaited) = (None, true);
            let coming = |next: &mut Next| matches!(next, Next::Coming { .. });
            next = self.made.wait_while(next, coming).unwrap_or_else(PoisonError::into_inner);
        }
        // One for other actions makes room for the next.
        match std::mem::take(&mut *next) {
            Next::Waits(standby) => Some(standby).filter(|standby| standby.fits(wanted)),
            coming @ Next::Coming { .. } => {
                *next = coming;
                None
            }
            Next::Nothing => None,
        }
    }

    /// Nothing is in the way of what is coming any more.
    pub fn hurry(&self) {
        if let Next::Coming { hurry, .. } = &mut *self.next() {
            *hurry = None;
        }
    }

    fn next(&self) -> MutexGuard<'_, Next> {
        self.standby.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for a cell.
    pub fn order_cell(&self, spec: &Spec, fds: &[BorrowedFd<'_>]) -> std::io::Result<()> {
        let domain = self.domain().ok_or(std::io::ErrorKind::NotConnected)?;
        let control = domain.control.lock().unwrap_or_else(PoisonError::into_inner);
        talk::send(&*control, &spec.encode(), fds)
    }

    /// Asks for a child.
    pub fn order_child(&self, order: &[u8], fds: &[BorrowedFd<'_>]) -> std::io::Result<()> {
        let domain = self.domain().ok_or(std::io::ErrorKind::NotConnected)?;
        let serve = domain.serve.lock().unwrap_or_else(PoisonError::into_inner);
        talk::send_packet(&*serve, order, fds)
    }

    /// Ends it at once, with everything in it.
    pub fn kill(&self) {
        if let Some(domain) = self.domain() {
            // Its child dies with it. One that is dead already cannot be killed.
            let _ = domain.child.lock().unwrap_or_else(PoisonError::into_inner).kill();
        }
    }
}

impl Domain {
    fn start(local: &Local, action: &Action, warm: &Warm, (keeper, stop): (&Keeper, &Stop)) -> Result<Self> {
        let work = &local.options.work;
        let doing = || format!("failed to start a fork server in `{}`", work.display());
        let folder = tempfile::Builder::new().prefix("server-").tempdir_in(work).doing(doing)?;
        // Bind mounts need a path that holds from anywhere.
        let at = std::fs::canonicalize(folder.path()).doing(doing)?;
        let spec = orders::server(local, action, warm, &at)?;
        let pair = |kind| socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).doing(doing);
        let (control, theirs) = pair(SocketType::STREAM)?;
        let (serve, stdin) = pair(SocketType::SEQPACKET)?;
        let exe = local.options.init_exe.clone();
        let child = keeper.run(move || init::start(&exe, theirs, None)).doing(doing)?;
        // Its children stay in its group: to put each into one of its own takes
        // longer than a small build. One that takes what another needs makes
        // both run again, as processes with groups of their own.
        let limits = Limits {
            memory: LIMIT.saturating_add(action.limits.memory),
            processes: orders::processes(local, action),
            ..action.limits.clone()
        };
        let domain = Self {
            control: Mutex::new(control),
            serve: Mutex::new(serve),
            child: Mutex::new(child),
            _group: local.groups.make(&limits),
            _folder: folder,
        };
        domain.greet((&spec, &stdin), stop)?;
        Ok(domain)
    }

    /// Hands over the orders and waits until cells can be asked for.
    fn greet(&self, (spec, stdin): (&Spec, &OwnedFd), stop: &Stop) -> Result<()> {
        let doing = || "failed to speak to the init of a fork server";
        let control = self.control.lock().unwrap_or_else(PoisonError::into_inner);
        talk::send(&*control, &spec.encode(), &[stdin.as_fd()]).doing(doing)?;
        let (mut inbox, deadline) = (Inbox::default(), Instant::now() + PATIENCE);
        loop {
            while let Some(frame) = inbox.frame() {
                match Message::take(&mut &frame[..]) {
                    Some(Message::Init(pid)) => {
                        if let Some(group) = &self._group {
                            group.add(pid);
                        }
                        talk::send(&*control, &[], &[]).doing(doing)?;
                    }
                    Some(Message::Ready) => return Ok(()),
                    Some(Message::Failed(_, what, because)) => {
                        return Err(Error::environment(what).because(because));
                    }
                    _ => return Err(Error::bug("the init of a fork server said nonsense")),
                }
            }
            if !readable(&control, deadline, Some(stop)) || !inbox.fill(&*control).doing(doing)? {
                return Err(Error::environment(doing()).because("it does not answer"));
            }
        }
    }

    /// The domain's init sees the end of the socket, and ends everything.
    fn let_go(&self) {
        let control = self.control.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = rustix::net::shutdown(&*control, Shutdown::Write);
    }
}

impl Drop for Domain {
    fn drop(&mut self) {
        self.let_go();
        let control = self.control.get_mut().unwrap_or_else(PoisonError::into_inner);
        let (mut inbox, deadline) = (Inbox::default(), Instant::now() + PATIENCE);
        while readable(control, deadline, None) && inbox.fill(&*control).unwrap_or(false) {}
        let child = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        if Instant::now() >= deadline {
            let _ = child.kill();
        }
        let _ = child.wait();
    }
}

/// Waits until there is something to read, or the end of it; not once the run
/// is to stop.
fn readable(socket: &OwnedFd, deadline: Instant, stop: Option<&Stop>) -> bool {
    loop {
        match ready([Some(socket.as_fd()), stop.map(|stop| stop.wake().as_fd())], deadline) {
            Ok([false, false]) if Instant::now() < deadline => {}
            Ok([readable, _]) => return readable,
            Err(_) => return false,
        }
    }
}

type Task = Box<dyn FnOnce() + Send>;

/// The thread that servers are started from: they die with it, and workers
/// may end before the run does.
struct Keeper {
    work: Option<mpsc::Sender<Task>>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    fn start() -> Self {
        let (work, todo) = mpsc::channel::<Task>();
        let thread = std::thread::spawn(move || todo.into_iter().for_each(|task| task()));
        Self { work: Some(work), thread: Some(thread) }
    }

    fn run<T: Send + 'static>(
        &self,
        task: impl FnOnce() -> std::io::Result<T> + Send + 'static,
    ) -> std::io::Result<T> {
        let (tell, told) = mpsc::channel();
        let gone = || std::io::Error::other("the thread that starts fork servers is gone");
        let work = self.work.as_ref().ok_or_else(gone)?;
        work.send(Box::new(move || drop(tell.send(task())))).map_err(|_| gone())?;
        told.recv().map_err(|_| gone())?
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.work = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
