//! A gateway on a free port of this machine, and a plain HTTP client.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chasqui_engine::{batch, Engine, LoadOptions};
use chasqui_gateway::{
    serve, Gateway, Keyring, Limits, LocalUpstream, ModelFolder, Options, Upstream,
};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub const KEY: &str = "sk-test-key";
pub const MODEL: &str = "tales/chat";
pub const PLAIN: &str = "tales";

/// What the chat template of [`MODEL`] makes of messages.
const TEMPLATE: &str = "{% for m in messages %}{% if m.role not in ['system', 'user', 'assistant', 'tool'] %}\
                        {{ raise_exception('unknown role ' + m.role) }}{% endif %}{{ m.role }}: {{ m.content }}\n\
                        {% endfor %}{% if add_generation_prompt %}assistant:{% endif %}";

pub fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/chasqui-tales")
}

/// The shipped model as it is, and a copy with a chat template, both on this machine.
pub fn local() -> Arc<LocalUpstream> {
    static MODELS: OnceLock<Arc<LocalUpstream>> = OnceLock::new();
    let load = || {
        let copy = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(shipped()).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
        }
        std::fs::write(copy.path().join("chat_template.jinja"), TEMPLATE).unwrap();
        let folder = |id: &str, path: &Path| ModelFolder {
            id: id.into(),
            path: path.into(),
        };
        let folders = [folder(MODEL, copy.path()), folder(PLAIN, &shipped())];
        let limits = batch::Limits::default();
        Arc::new(LocalUpstream::load(&folders, &LoadOptions::on("cpu"), limits).unwrap())
    };
    MODELS.get_or_init(load).clone()
}

/// The same model, to compare with.
pub fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::load(&shipped(), "cpu").unwrap())
}

pub fn keyring() -> Keyring {
    Keyring::single("test", KEY, 8)
}

pub struct Server {
    pub address: SocketAddr,
    pub gateway: Arc<Gateway>,
    stop: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<()>>,
}

pub async fn start(options: Options) -> Server {
    let gateway = Gateway::new(options).unwrap();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = serve(gateway.clone(), listener, async {
        // A dropped server stops too.
        let _ = stopped.await;
    });
    Server {
        address,
        gateway,
        stop: Some(stop),
        task: Some(tokio::spawn(serving)),
    }
}

/// Over the local models.
pub async fn plain() -> Server {
    with(vec![local()], Limits::default()).await
}

pub async fn with(upstreams: Vec<Arc<dyn Upstream>>, limits: Limits) -> Server {
    start(Options {
        upstreams,
        keys: keyring(),
        limits,
        live: None,
    })
    .await
}

pub struct Reply {
    pub status: StatusCode,
    pub headers: hyper::HeaderMap,
    pub body: Bytes,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// Checks status, code and field of an error and gives its message.
    #[track_caller]
    pub fn error(&self, status: u16, code: &str, param: &str) -> String {
        let error = &self.json()["error"];
        let found = (
            self.status.as_u16(),
            error["code"].as_str().unwrap_or(""),
            error["param"].as_str().unwrap_or(""),
        );
        assert_eq!(found, (status, code, param), "{error}");
        assert!(error["type"].is_string());
        error["message"].as_str().unwrap().to_string()
    }

    /// The events of a stream: JSON, without the end mark, which must be there.
    pub fn events(&self) -> Vec<Value> {
        assert_eq!(self.status, 200, "{}", self.text());
        let text = self.text();
        let mut events: Vec<&str> = text
            .split("\n\n")
            .filter_map(|event| event.strip_prefix("data: "))
            .collect();
        assert_eq!(events.pop(), Some("[DONE]"), "{text}");
        events
            .into_iter()
            .map(|event| serde_json::from_str(event).unwrap())
            .collect()
    }
}

impl Server {
    pub async fn stop(mut self) {
        drop(self.stop.take());
        self.task.take().unwrap().await.unwrap();
    }

    /// Begins to stop without waiting for the end.
    pub fn begin_stop(&mut self) -> JoinHandle<()> {
        drop(self.stop.take());
        self.task.take().unwrap()
    }

    /// Sends a request; the answer's body is still to be read.
    pub async fn open(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Response<Incoming> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection);
        let mut request = Request::builder().method(method).uri(path);
        if !headers.iter().any(|(name, _)| *name == "host") {
            request = request.header("host", self.address.to_string());
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).unwrap();
        sender.send_request(request).await.unwrap()
    }

    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Reply {
        let response = self.open(method, path, headers, body).await;
        let (head, body) = response.into_parts();
        Reply {
            status: head.status,
            headers: head.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    }

    pub async fn get(&self, path: &str) -> Reply {
        let authorization = format!("Bearer {KEY}");
        self.send("GET", path, &[("authorization", &authorization)], "")
            .await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        let authorization = format!("Bearer {KEY}");
        let headers = [
            ("authorization", &*authorization),
            ("content-type", "application/json"),
        ];
        self.send("POST", path, &headers, body.to_string()).await
    }

    pub async fn chat(&self, body: Value) -> Reply {
        self.post("/v1/chat/completions", &body).await
    }

    pub async fn complete(&self, body: Value) -> Reply {
        self.post("/v1/completions", &body).await
    }

    /// Begins a completion and gives the stream.
    pub async fn stream(&self, body: Value) -> Response<Incoming> {
        let authorization = format!("Bearer {KEY}");
        let headers = [("authorization", &*authorization)];
        self.open("POST", "/v1/completions", &headers, body.to_string())
            .await
    }

    /// Begins to watch the live page's events.
    pub async fn send_events(&self) -> Response<Incoming> {
        self.open("GET", "/events", &[], "").await
    }

    /// A counter of the metrics page; 0 where it was not counted yet.
    pub async fn metric(&self, name: &str) -> f64 {
        let text = self.get("/metrics").await.text();
        let line = text.lines().find_map(|line| {
            let rest = line.strip_prefix("chasqui_gateway_")?.strip_prefix(name)?;
            rest.strip_prefix(' ')
        });
        line.map_or(0.0, |value| value.parse().unwrap())
    }

    /// Waits until a counter has a value.
    pub async fn metric_becomes(&self, name: &str, value: f64) {
        for _ in 0..400 {
            if self.metric(name).await == value {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        let found = self.metric(name).await;
        panic!("{name} is {found}, not {value}");
    }
}
