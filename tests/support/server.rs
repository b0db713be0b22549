//! An HTTP server on the loopback for tests: every answer is made by a
//! function of the request, and may be cut, lied about or partial.
//!
//! Knows just enough HTTP/1.1. Must never listen anywhere but on the loopback.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// One request as it came in.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET`.
    pub method: String,
    /// Path and query as sent.
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
}

impl Request {
    /// The first header of that (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

/// One answer.
#[derive(Clone, Debug)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    claimed: Option<u64>,
    cut_after: Option<usize>,
    no_length: bool,
}

impl Reply {
    /// 200 with a body.
    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::status(200).body(body)
    }

    /// An empty answer with a status.
    pub fn status(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
            claimed: None,
            cut_after: None,
            no_length: false,
        }
    }

    /// 404.
    pub fn not_found() -> Self {
        Self::status(404).body("no such thing")
    }

    /// 302 to somewhere.
    pub fn redirect(to: impl Into<String>) -> Self {
        Self::status(302).header("Location", to)
    }

    /// With another body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// With one more header.
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Says another Content-Length than the truth.
    pub fn claim(mut self, length: u64) -> Self {
        self.claimed = Some(length);
        self
    }

    /// Says no length; the end of the connection is the end of the body.
    pub fn without_length(mut self) -> Self {
        self.no_length = true;
        self
    }

    /// Closes the connection after so many bytes of the body.
    pub fn cut_after(mut self, bytes: usize) -> Self {
        self.cut_after = Some(bytes);
        self
    }

    /// Serves the part a `Range: bytes=a-b` header asks for (also `a-`, `-n`),
    /// if the `If-Range` header, when there, is one of this answer's validators.
    pub fn ranged(mut self, request: &Request) -> Self {
        let same = request.header("if-range").is_none_or(|v| self.headers.iter().any(|(_, own)| own == v));
        let Some(range) = request.header("range").filter(|_| same).and_then(|r| r.strip_prefix("bytes="))
        else {
            return self;
        };
        let total = self.body.len();
        let (from, to) = range.split_once('-').expect("a range has a dash");
        let (start, end) = match (from.parse::<usize>(), to.parse::<usize>()) {
            (Ok(a), Ok(b)) => (a, (b + 1).min(total)),
            (Ok(a), Err(_)) => (a, total),
            (Err(_), Ok(n)) => (total.saturating_sub(n), total),
            _ => return Self::status(416),
        };
        if start >= end {
            return Self::status(416);
        }
        self.body = self.body[start..end].to_vec();
        self.status = 206;
        self.header("Content-Range", format!("bytes {start}-{}/{total}", end - 1))
    }

    fn write(&self, to: &mut TcpStream) -> std::io::Result<()> {
        let mut head = format!("HTTP/1.1 {} Answer\r\nConnection: close\r\n", self.status);
        if !self.no_length && self.status != 304 {
            let length = self.claimed.unwrap_or(self.body.len() as u64);
            head.push_str(&format!("Content-Length: {length}\r\n"));
        }
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        to.write_all(head.as_bytes())?;
        let end = self.cut_after.unwrap_or(self.body.len()).min(self.body.len());
        to.write_all(&self.body[..end])?;
        to.flush()
    }
}

type Handler = dyn Fn(&Request) -> Reply + Send + Sync;

/// A running server; it ends when dropped.
pub struct Server {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Request>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens on a free port of 127.0.0.1. `answer` may be called by several
    /// threads at once.
    pub fn start(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback has a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let (seen, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (log, end, answer) = (Arc::clone(&seen), Arc::clone(&stop), Arc::new(answer) as Arc<Handler>);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if end.load(Ordering::SeqCst) {
                    return;
                }
                let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
                if let Ok(stream) = stream {
                    std::thread::spawn(move || drop(serve(stream, &log, &*answer)));
                }
            }
        });
        Self { address, seen, stop, thread: Some(thread) }
    }

    /// The address of a path that begins with `/`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// All requests so far, in order.
    pub fn requests(&self) -> Vec<Request> {
        self.seen.lock().expect("no handler panics while it logs").clone()
    }

    /// The paths of all requests so far.
    pub fn paths(&self) -> Vec<String> {
        self.requests().into_iter().map(|r| r.path).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes `incoming`, which has no timeout.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(mut stream: TcpStream, log: &Mutex<Vec<Request>>, answer: &Handler) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?.take(1 << 20));
    let mut line = String::new();
    lines.read_line(&mut line)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (Some(method), Some(path)) = (words.next(), words.next()) else { return Ok(()) };
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        lines.read_line(&mut line)?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => headers.push((name.to_ascii_lowercase(), value.trim().to_owned())),
            None => break,
        }
    }
    let request = Request { method, path, headers };
    log.lock().expect("no handler panics while it logs").push(request.clone());
    let reply = answer(&request);
    reply.write(&mut stream)?;
    stream.shutdown(std::net::Shutdown::Write)?;
    // The client closes first, so that no reset throws away what it has not read.
    stream.read(&mut [0; 1]).map(drop)
}
