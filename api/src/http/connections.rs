//! Connections: accepted, watched, and closed when nothing comes.
//!
//! Whoever opens a connection and says nothing, or says it a letter at a time, holds a socket that
//! others need. So the head of each request has a limit, and with it the wait for the next one.

use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::{Extension, Router};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Layer as _;

use crate::base::log_targets as log;

/// How long to wait when the system has no socket to give.
const WITHOUT_SOCKETS: Duration = Duration::from_millis(100);

/// Serves until told to stop; then takes nothing new and lets finish what runs.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    header_timeout: Duration,
    stop: CancellationToken,
) {
    let mut http = Builder::new(TokioExecutor::new()).http1_only();
    http.http1().timer(TokioTimer::new()).header_read_timeout(header_timeout);
    let open = TaskTracker::new();
    while let Some((stream, peer)) = stop.run_until_cancelled(accept(&listener)).await {
        let router = Extension(ConnectInfo(peer)).layer(router.clone());
        let (http, stop) = (http.clone(), stop.clone());
        open.spawn(async move {
            let service = TowerToHyperService::new(router);
            let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
            // How a connection ends is its client's affair.
            if stop.run_until_cancelled(connection.as_mut()).await.is_none() {
                connection.as_mut().graceful_shutdown();
                drop(connection.await);
            }
        });
    }
    drop(listener);
    open.close();
    open.wait().await;
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // An answer is one small write: waiting for more to send would only delay it.
                drop(stream.set_nodelay(true));
                return (stream, peer);
            }
            Err(cause) => {
                tracing::warn!(
                    target: log::CONNECTIONS,
                    %cause,
                    "a connection could not be accepted"
                );
                tokio::time::sleep(WITHOUT_SOCKETS).await;
            }
        }
    }
}
