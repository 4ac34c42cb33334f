//! The real program in processes of its own: the service, the departments, and the commands beside them.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long a process may take to say that it serves: a debug build on a busy machine.
const START_MAX: Duration = Duration::from_secs(30);

/// A process of the program whose stderr is read along; killed when dropped.
pub struct Process {
    child: Child,
    pub lines: Arc<Mutex<Vec<String>>>,
}

impl Process {
    fn spawn(mut command: Command) -> Process {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (stderr, sink) = (child.stderr.take().unwrap(), lines.clone());
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                sink.lock().unwrap().push(line);
            }
        });
        Process { child, lines }
    }

    /// Waits for the line in which `find` finds something.
    fn wait_for<T>(&mut self, find: impl Fn(&str) -> Option<T>) -> T {
        self.find_line(find).unwrap_or_else(|| panic!("the process ended:\n{}", self.said()))
    }

    /// The same; `None` where the process ends without such a line.
    fn find_line<T>(&mut self, find: impl Fn(&str) -> Option<T>) -> Option<T> {
        let began = Instant::now();
        loop {
            if let Some(found) = self.lines.lock().unwrap().iter().find_map(|line| find(line)) {
                return Some(found);
            }
            let said = || self.lines.lock().unwrap().join("\n");
            if self.child.try_wait().unwrap().is_some() {
                return None;
            }
            assert!(began.elapsed() < START_MAX, "the process does not serve:\n{}", said());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// SIGKILL, and wait for the end.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// The process's number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended.
    pub fn ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Sends a signal by name, for instance `TERM`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for the end and returns the exit code.
    pub fn wait(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    /// Everything said on stderr so far.
    pub fn said(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The program with a clean environment.
pub fn yuxin() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_yuxin"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("YUXIN_")) {
        command.env_remove(name);
    }
    command
}

/// `yuxin sandbox` in a process of its own.
pub struct Sandbox {
    pub process: Process,
    pub url: String,
}

impl Sandbox {
    /// The synthetic district of the default seed, with `arguments` besides.
    pub fn start(arguments: &[&str]) -> Sandbox {
        Sandbox::start_on("127.0.0.1:0", arguments)
    }

    /// On a given address, for a department that comes back.
    pub fn start_on(listen: &str, arguments: &[&str]) -> Sandbox {
        let mut command = yuxin();
        command.args(["sandbox", "--listen", listen]).args(arguments);
        let mut process = Process::spawn(command);
        let url = process.wait_for(|line| {
            let at = line.find("http://127.0.0.1:")?;
            Some(line[at..].chars().take_while(|c| c.is_ascii_digit() || ":/.htp".contains(*c)).collect::<String>())
        });
        Sandbox { process, url: url.trim_end_matches('/').to_owned() }
    }

    /// Codes of its first firms.
    pub async fn firms(&self, limit: usize) -> Vec<String> {
        let url = format!("{}/firms?limit={limit}", self.url);
        let firms: Vec<Value> = client().get(url).send().await.unwrap().json().await.unwrap();
        firms.iter().map(|firm| firm["uscc"].as_str().unwrap().to_owned()).collect()
    }
}

/// A client like a bank's loan system.
pub fn client() -> Client {
    Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().unwrap()
}

/// `yuxin serve` in a process of its own, with a database in a folder of its own.
pub struct Service {
    pub process: Process,
    pub url: String,
    pub management: String,
    pub folder: Arc<TempDir>,
    environment: Vec<(String, String)>,
}

impl Service {
    /// The service with its three departments at `departments`.
    pub fn start(departments: &str) -> Service {
        Service::start_with(departments, &[])
    }

    /// The same with further environment variables.
    pub fn start_with(departments: &str, more: &[(&str, &str)]) -> Service {
        Service::start_inside(&[], departments, more)
    }

    /// The same, started by another program, which gets the service's command line after these arguments.
    pub fn start_inside(wrapper: &[&str], departments: &str, more: &[(&str, &str)]) -> Service {
        let folder = Arc::new(TempDir::new().unwrap());
        let url = format!("sqlite://{}", folder.path().join("yuxin.db").display());
        let mut environment: Vec<(String, String)> = [
            ("YUXIN_STORE__URL", url.as_str()),
            ("YUXIN_SERVER__LISTEN", "127.0.0.1:0"),
            ("YUXIN_MANAGEMENT__LISTEN", "127.0.0.1:0"),
            // The tests share the machine with each other: what is not about overload must not be shed because of them.
            ("YUXIN_SERVER__WAIT_MS_MAX", "20000"),
            ("YUXIN_SERVER__DELAY_MS_TARGET", "2000"),
            ("YUXIN_SOURCES__TAX__BASE_URL", departments),
            ("YUXIN_SOURCES__SOCIAL_INSURANCE__BASE_URL", departments),
            ("YUXIN_SOURCES__PAYMENT_HISTORY__BASE_URL", departments),
        ]
        .into_iter()
        .chain(more.iter().copied())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
        environment.dedup_by(|later, earlier| later.0 == earlier.0);
        Service::run_inside(wrapper, folder, environment)
    }

    fn run(folder: Arc<TempDir>, environment: Vec<(String, String)>) -> Service {
        Service::run_inside(&[], folder, environment)
    }

    fn run_inside(wrapper: &[&str], folder: Arc<TempDir>, environment: Vec<(String, String)>) -> Service {
        Service::run_under(wrapper, folder, environment).expect("the service starts")
    }

    /// As a child of another program, for instance strace, with these arguments; `None` where it ends before it serves.
    fn run_under(under: &[&str], folder: Arc<TempDir>, environment: Vec<(String, String)>) -> Option<Service> {
        let mut command = yuxin();
        if let Some((outer, arguments)) = under.split_first() {
            let mut outer = Command::new(outer);
            outer.args(arguments).arg(command.get_program());
            for (name, _) in command.get_envs() {
                outer.env_remove(name);
            }
            command = outer;
        }
        command.arg("serve").envs(environment.iter().map(|(n, v)| (n, v))).current_dir(folder.path());
        let mut process = Process::spawn(command);
        let (address, management) = process.find_line(|line| {
            let line: Value = serde_json::from_str(line).ok()?;
            let at = |name: &str| Some(format!("http://{}", line[name].as_str()?));
            Some((at("address")?, at("management")?))
        })?;
        Some(Service { process, url: address, management, folder, environment })
    }

    /// Starts again on the same database as a child of another program; the second is what starts it again without, where the
    /// first ended before it served.
    pub fn restart_under(self, under: &[&str]) -> (Option<Service>, impl Fn() -> Service + use<>) {
        let (folder, environment) = (self.folder.clone(), self.environment.clone());
        drop(self);
        let again = (folder.clone(), environment.clone());
        (Service::run_under(under, folder, environment), move || Service::run(again.0.clone(), again.1.clone()))
    }

    /// Starts again on the same database after the process ended.
    pub fn restart(self) -> Service {
        let (folder, environment) = (self.folder.clone(), self.environment.clone());
        drop(self);
        Service::run(folder, environment)
    }

    /// Starts again on the same database with further environment variables, which override those before.
    pub fn restart_with(self, more: &[(&str, &str)]) -> Service {
        let (folder, mut environment) = (self.folder.clone(), self.environment.clone());
        drop(self);
        environment.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Service::run(folder, environment)
    }

    /// A second process over the same database.
    pub fn replica(&self) -> Service {
        Service::run(self.folder.clone(), self.environment.clone())
    }

    /// The URL of its store.
    pub fn store_url(&self) -> String {
        let mut urls = self.environment.iter().filter(|(name, _)| name == "YUXIN_STORE__URL");
        urls.next_back().unwrap().1.clone()
    }

    /// Runs a command of the program beside the service.
    pub fn command(&self, arguments: &[&str]) -> Output {
        let mut command = yuxin();
        command.args(arguments).envs(self.environment.iter().map(|(n, v)| (n, v))).current_dir(self.folder.path());
        command.output().unwrap()
    }

    /// A new key of a bank.
    pub fn key(&self, bank: &str) -> String {
        let made = self.command(&["keys", "create", "--bank", bank]);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        String::from_utf8(made.stdout).unwrap().trim().to_owned()
    }

    /// A bank with a new key.
    pub fn bank(&self, name: &str) -> Bank {
        Bank { client: client(), url: self.url.clone(), key: self.key(name) }
    }

    /// The database file.
    pub fn database(&self) -> std::path::PathBuf {
        Path::new(self.folder.path()).join("yuxin.db")
    }
}

/// A bank that asks.
#[derive(Clone)]
pub struct Bank {
    pub client: Client,
    pub url: String,
    pub key: String,
}

impl Bank {
    pub fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.url)).bearer_auth(&self.key).header("accept-language", "en")
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.url)).bearer_auth(&self.key).header("accept-language", "en")
    }

    pub fn delete(&self, path: &str) -> RequestBuilder {
        self.client.delete(format!("{}{path}", self.url)).bearer_auth(&self.key)
    }

    /// Registers a consent for working capital and returns its id.
    pub async fn consent(&self, uscc: &str) -> String {
        let body = json!({"uscc": uscc, "purposes": ["working_capital"], "valid_until": "2099-01-01T00:00:00Z"});
        let response = self.post("/v1/consents").json(&body).send().await.unwrap();
        assert_eq!(response.status(), 201);
        response.json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned()
    }

    /// Asks for a decision under a consent.
    pub async fn ask(&self, uscc: &str, consent: &str) -> Response {
        self.post("/v1/decisions").json(&ask(uscc, consent)).send().await.unwrap()
    }

    /// Registers a consent, asks, and returns the decision.
    pub async fn decide(&self, uscc: &str) -> Value {
        let consent = self.consent(uscc).await;
        let response = self.ask(uscc, &consent).await;
        let status = response.status();
        let body: Value = response.json().await.unwrap();
        assert_eq!(status, 201, "{body}");
        body
    }
}

/// A request for a million yuan of working capital.
pub fn ask(uscc: &str, consent: &str) -> Value {
    json!({
        "uscc": uscc, "consent_id": consent, "purpose": "working_capital", "amount_fen": 100_000_000, "term_months": 12,
    })
}
