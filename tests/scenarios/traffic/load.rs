//! Requests without a break, over several connections, and what became of them.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

/// How many connections there are at a time.
const CONNECTIONS: usize = 8;
/// How many requests one connection takes before it is closed and another one opened.
const PER_CONNECTION: usize = 25;
/// When each of them gives up by itself.
const MOST_REQUESTS: usize = 10_000;
const LONGEST: Duration = Duration::from_secs(170);
/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// What became of requests.
#[derive(Clone, Default, Debug)]
pub(crate) struct Answers {
    /// How often each version answered.
    pub(crate) versions: BTreeMap<String, usize>,
    /// How often each instance did.
    pub(crate) instances: BTreeMap<String, usize>,
    /// What went wrong, and when.
    pub(crate) failures: Vec<String>,
}

impl Answers {
    pub(crate) fn total(&self) -> usize {
        self.versions.values().sum::<usize>() + self.failures.len()
    }

    fn add(&mut self, other: Self) {
        for (version, count) in other.versions {
            *self.versions.entry(version).or_default() += count;
        }
        for (instance, count) in other.instances {
            *self.instances.entry(instance).or_default() += count;
        }
        self.failures.extend(other.failures);
    }
}

/// Threads that ask until they are told to stop.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Answers>>,
}

impl Load {
    pub(crate) fn start(address: SocketAddr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let began = Instant::now();
        let threads = (0..CONNECTIONS)
            .map(|_| {
                let stop = stop.clone();
                std::thread::spawn(move || ask_on(address, began, &stop))
            })
            .collect();
        Self { stop, threads }
    }

    /// Ends it; requests under way are waited for.
    pub(crate) fn finish(mut self) -> Answers {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Answers::default();
        for thread in self.threads.drain(..) {
            all.add(thread.join().expect("a thread of the load does not panic"));
        }
        all
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn ask_on(address: SocketAddr, began: Instant, stop: &AtomicBool) -> Answers {
    let mut answers = Answers::default();
    let mut connection: Option<(BufReader<TcpStream>, usize)> = None;
    for _ in 0..MOST_REQUESTS {
        if stop.load(Ordering::Relaxed) || began.elapsed() > LONGEST {
            break;
        }
        let asked = match connection.take().filter(|(_, used)| *used < PER_CONNECTION) {
            Some(open) => Ok(open),
            None => connect(address).map(|reader| (reader, 0)),
        };
        let answer = asked.and_then(|(mut reader, used)| {
            let (answer, stays) = ask(&mut reader)?;
            connection = stays.then_some((reader, used + 1));
            Ok(answer)
        });
        match answer {
            Ok((version, instance)) => {
                *answers.versions.entry(version).or_default() += 1;
                *answers.instances.entry(instance).or_default() += 1;
            }
            Err(why) => {
                answers.failures.push(format!("after {:.1} s: {why}", began.elapsed().as_secs_f32()));
                // Whatever refuses at once is not asked a thousand times a second.
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }
    answers
}

fn connect(address: SocketAddr) -> Result<BufReader<TcpStream>, String> {
    let connection = TcpStream::connect_timeout(&address, PATIENCE).map_err(|error| format!("connect: {error}"))?;
    connection.set_read_timeout(Some(PATIENCE)).map_err(|error| error.to_string())?;
    Ok(BufReader::new(connection))
}

/// Returns the version and the instance that answered, in full, with the status 200; and whether the connection stays.
fn ask(reader: &mut BufReader<TcpStream>) -> Result<((String, String), bool), String> {
    let request = b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n";
    reader.get_mut().write_all(request).map_err(|error| format!("write: {error}"))?;
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        match reader.read_line(&mut line) {
            Ok(0) => return Err("the connection ended instead of an answer".to_owned()),
            Ok(_) if line.trim().is_empty() => break,
            Ok(_) => head.push(line.trim().to_lowercase()),
            Err(error) => return Err(format!("read: {error}")),
        }
    }
    let length = head.iter().find_map(|line| line.strip_prefix("content-length:"));
    let length: usize = length.and_then(|length| length.trim().parse().ok()).unwrap_or_default();
    let mut body = vec![0; length];
    reader.read_exact(&mut body).map_err(|error| format!("a truncated body: {error}"))?;
    let status = head.first().map_or("", String::as_str);
    if status.split(' ').nth(1) != Some("200") {
        return Err(format!("{status}: {}", String::from_utf8_lossy(&body[..body.len().min(100)])));
    }
    let stays = status.starts_with("http/1.1") && !head.iter().any(|line| line == "connection: close");
    let body: Value = serde_json::from_slice(&body).map_err(|error| format!("a broken body: {error}"))?;
    let text = |key: &str| body[key].as_str().map(str::to_owned).ok_or_else(|| format!("no {key} in the body"));
    Ok(((text("version")?, text("instance")?), stays))
}
