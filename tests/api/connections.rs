//! Connections: those that say nothing are closed, those that are served are finished.

use std::time::Duration;

use portcullis_tests::Service;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

async fn connect(url: &str) -> TcpStream {
    TcpStream::connect(url.trim_start_matches("http://")).await.unwrap()
}

/// What comes until the other side closes the connection.
async fn rest(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let read = timeout(Duration::from_mins(1), stream.read_to_string(&mut text)).await;
    read.expect("the connection is closed").unwrap();
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_head_never_ends_is_given_up_by_both_listeners() {
    let auth =
        Service::with(|settings| settings.server.header_timeout = Duration::from_secs(1)).await;
    for listener in [&auth.url, &auth.operations().await] {
        for head in ["", "GET /livez HTTP/1.1\r\nHost: example.com\r\nX-Slow:"] {
            let mut stream = connect(listener).await;
            stream.write_all(head.as_bytes()).await.unwrap();
            let text = rest(&mut stream).await;
            assert!(!text.contains(" 200 "), "{text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_never_ends_is_refused() {
    let auth = Service::start().await;
    let mut stream = connect(&auth.url).await;
    let begun = "POST /api/v1/auth/refresh HTTP/1.1\r\nHost: example.com\r\n\
                 Content-Type: application/json\r\nContent-Length: 27\r\n\r\n{";
    stream.write_all(begun.as_bytes()).await.unwrap();
    let text = rest(&mut stream).await;
    assert!(text.starts_with("HTTP/1.1 408 ") && text.contains("slow_body"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_runs_when_the_service_stops_is_answered_and_nothing_new_is_taken() {
    let auth = Service::start().await;
    let (mut running, mut idle) = (connect(&auth.url).await, connect(&auth.url).await);
    idle.write_all(b"GET /livez HTTP/1.1\r\nHost: example.com\r\n\r\n").await.unwrap();
    idle.read_u8().await.unwrap();
    let ask = "POST /api/v1/auth/refresh HTTP/1.1\r\nHost: example.com\r\n\
               Content-Type: application/json\r\nContent-Length: 27\r\nExpect: 100-continue\r\n\r\n";
    running.write_all(ask.as_bytes()).await.unwrap();
    let mut begun = [0; 25];
    running.read_exact(&mut begun).await.unwrap();
    assert_eq!(begun, *b"HTTP/1.1 100 Continue\r\n\r\n");

    auth.app.background.stop.cancel();

    rest(&mut idle).await;
    running.write_all(br#"{"refresh_token":"prt_abc"}"#).await.unwrap_or_default();
    let text = rest(&mut running).await;
    assert!(text.starts_with("HTTP/1.1 401 ") && text.contains("invalid_grant"), "{text}");
    let address = auth.url.trim_start_matches("http://").to_owned();
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_told_to_stop_ends_all_its_work_and_then_its_connections_to_mysql() {
    let auth = Service::start().await;
    auth.app.background.stop.cancel();
    let ended = timeout(Duration::from_mins(1), auth.app.store.pool.close_event()).await;
    ended.expect("nothing goes on in the background");
    assert!(auth.app.background.tracker.is_empty());
}
