//! A gateway that is told to stop.

use std::time::Duration;

use chasqui_gateway::Limits;
use http_body_util::BodyExt;
use serde_json::json;
use tokio::net::TcpStream;

use super::scripted::{Scripted, Step};
use super::server::{with, PLAIN};

// GIVEN a stream that ends soon, and a viewer of the page
// WHEN the gateway is told to stop
// THEN the stream comes to its end, the viewer is let go, nobody new is taken, and it ends at once after
#[tokio::test]
async fn what_ends_soon_may_end() {
    let mut server = with(
        vec![Scripted::new(0, &[Step::Slowly(100)])],
        Limits::default(),
    )
    .await;
    let viewer = server.send_events().await;
    let body = json!({ "model": PLAIN, "prompt": "a", "max_tokens": 200, "stream": true });
    let mut response = server.stream(body).await;
    response.body_mut().frame().await.unwrap().unwrap();
    let stopping = server.begin_stop();
    let rest = response.into_body().collect().await.unwrap().to_bytes();
    assert!(rest.ends_with(b"data: [DONE]\n\n"));
    drop(viewer.into_body().collect().await);
    tokio::time::timeout(Duration::from_secs(5), stopping)
        .await
        .unwrap()
        .unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}

// GIVEN a stream that would take too long
// WHEN the time to end is over
// THEN it gets an error event, and what was computed is charged
#[tokio::test]
async fn what_takes_too_long_is_told_so() {
    let limits = Limits {
        stop_grace: Duration::from_secs(1),
        ..Limits::default()
    };
    let scripted = Scripted::new(10_000_000_000, &[Step::Slowly(490)]);
    let mut server = with(vec![scripted.clone()], limits).await;
    let body = json!({ "model": PLAIN, "prompt": "a", "max_tokens": 500, "stream": true });
    let response = server.stream(body).await;
    let stopping = server.begin_stop();
    let rest = response.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8(rest.to_vec()).unwrap();
    assert!(
        text.contains("\"error\"") && text.contains("stopping"),
        "{text}"
    );
    assert!(!text.contains("[DONE]"));
    tokio::time::timeout(Duration::from_secs(5), stopping)
        .await
        .unwrap()
        .unwrap();
    let stopped = scripted.cancelled_at.lock().unwrap().clone();
    assert!(stopped.len() == 1 && stopped[0] < 490, "{stopped:?}");
    assert!(server.gateway.metrics().spend.get() >= stopped[0] as f64);
}
