//! A throw-away PostgreSQL from the distribution's binaries: one server for the test binary, one database for each test.

use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// The URL of a fresh database of this test's own. `None`, said on stderr, where PostgreSQL is not installed; where the
/// variable CI is set that is a failure, so that the tests are not skipped unseen.
pub async fn fresh_database() -> Option<String> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let server = server()?;
    let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let mut admin = PgConnection::connect(&server.url("postgres")).await.expect("the server takes connections");
    sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}")))
        .execute(&mut admin)
        .await
        .expect("the server makes databases");
    admin.close().await.expect("the connection closes");
    Some(server.url(&name))
}

/// A server of one test's own, which may be killed and started again.
pub struct OwnServer {
    binaries: PathBuf,
    folder: PathBuf,
    port: u16,
}

impl OwnServer {
    /// `None` where PostgreSQL is not installed.
    pub fn start() -> Option<OwnServer> {
        let binaries = binaries()?;
        let folder = make_data(&binaries);
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
        let server = OwnServer { binaries, folder, port };
        server.start_again();
        Some(server)
    }

    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    pub fn start_again(&self) {
        let options = format!("-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories=", self.port);
        self.control(&["-o", &options, "-l", &self.folder.join("log").to_string_lossy(), "-w", "start"]);
    }

    /// As if the power had gone: nothing is finished, nothing flushed.
    pub fn kill(&self) {
        self.control(&["-m", "immediate", "stop"]);
    }

    /// As if its machine hung: every process of it stands still, its connections stay open and nobody answers on them.
    pub fn hang(&self) {
        self.signal("STOP");
    }

    /// Goes on where it stood still.
    pub fn go_on(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let pid = std::fs::read_to_string(self.folder.join("data/postmaster.pid")).expect("it runs");
        let pid = pid.lines().next().expect("its number").trim().to_owned();
        // The first process first: it begins no other then.
        let sent = Command::new("kill").args([&format!("-{name}"), &pid]).status().expect("kill runs");
        assert!(sent.success(), "kill -{name} {pid}: {sent}");
        let others = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).expect("its processes");
        // One of them may have ended meanwhile.
        let _ = Command::new("kill").arg(format!("-{name}")).args(others.split_whitespace()).status();
    }

    fn control(&self, arguments: &[&str]) {
        let mut pg_ctl = command(&self.binaries.join("pg_ctl"));
        pg_ctl.arg("-D").arg(self.folder.join("data")).args(arguments).current_dir(&self.folder);
        let done =
            pg_ctl.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().expect("pg_ctl runs");
        assert!(done.success(), "pg_ctl {arguments:?}: {done}");
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        // A test that failed may have left it standing still.
        if self.folder.join("data/postmaster.pid").exists() {
            self.signal("CONT");
        }
        let mut pg_ctl = command(&self.binaries.join("pg_ctl"));
        pg_ctl.arg("-D").arg(self.folder.join("data")).args(["-m", "immediate", "stop"]).current_dir(&self.folder);
        let _ = pg_ctl.output();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

struct Server {
    port: u16,
    /// Open as long as this process lives. A shell waits for its end, stops the server and removes its folder, however
    /// the tests end.
    _alive: ChildStdin,
}

impl Server {
    fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }
}

fn server() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    SERVER
        .get_or_init(|| {
            let binaries = binaries();
            if binaries.is_none() {
                let message = "PostgreSQL is not installed: its tests are SKIPPED (Debian: apt install postgresql)";
                assert!(std::env::var_os("CI").is_none(), "{message}");
                // Past the test harness, which keeps the output of tests that pass to itself.
                let _ = writeln!(std::io::stderr(), "{message}");
            }
            binaries.map(|binaries| start(&binaries))
        })
        .as_ref()
}

/// The newest version that Debian's packages, or the PATH, offer.
fn binaries() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, bin)| bin.join("initdb").exists())
        .collect();
    found.sort();
    let on_path = || {
        std::env::split_paths(&std::env::var_os("PATH")?)
            .find(|p| p.join("initdb").exists() && p.join("postgres").exists())
    };
    found.pop().map(|(_, bin)| bin).or_else(on_path)
}

/// A command that does not run as root, because PostgreSQL refuses to.
fn command(program: &Path) -> Command {
    if std::fs::metadata("/proc/self").is_ok_and(|of| of.uid() == 0) {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    }
}

/// A folder with a fresh cluster in it.
fn make_data(binaries: &Path) -> PathBuf {
    let folder = tempfile::Builder::new().prefix("yuxin-postgres-").tempdir().expect("a folder").keep();
    if std::fs::metadata("/proc/self").is_ok_and(|of| of.uid() == 0) {
        let given = Command::new("chown").arg("postgres:postgres").arg(&folder).status().expect("chown runs");
        assert!(given.success(), "the folder can be given to the user postgres");
    }
    let data = folder.join("data");
    let made = command(&binaries.join("initdb"))
        .arg("--pgdata")
        .arg(&data)
        .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"])
        .current_dir(&folder)
        .output()
        .expect("initdb runs");
    assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
    folder
}

fn start(binaries: &Path) -> Server {
    let folder = make_data(binaries);
    let data = folder.join("data");
    // The port is free now; that somebody else takes it in between would be seen below.
    let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
    let postgres = command(&binaries.join("postgres"));
    let mut watch = Command::new("sh");
    watch
        .args([
            "-c",
            "folder=$1; shift; \"$@\" >\"$folder/log\" 2>&1 & cat >/dev/null; kill -QUIT $!; wait; rm -rf \"$folder\"",
        ])
        .arg("sh")
        .arg(&folder)
        .arg(postgres.get_program())
        .args(postgres.get_args())
        .arg("-D")
        .arg(&data)
        .arg(format!("--port={port}"))
        .args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=400"])
        .current_dir(&folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let alive = watch.spawn().expect("sh runs").stdin.take().expect("a pipe");

    let deadline = Instant::now() + Duration::from_secs(60);
    let ready = || {
        let mut asks = Command::new(binaries.join("pg_isready"));
        asks.args(["--quiet", "--host=127.0.0.1", &format!("--port={port}")]).status().is_ok_and(|s| s.success())
    };
    while !ready() {
        let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
        assert!(
            Instant::now() < deadline && !log.contains("database system is shut down"),
            "PostgreSQL does not start: {log}"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    Server { port, _alive: alive }
}
