//! `portcullis serve`: from a listening socket to a clean end.

use std::net::SocketAddr;
use std::time::Duration;

use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::{App, metrics};

/// Serves until told to stop, lets running requests finish for a while, then ends the background
/// work. What is still unanswered after that while is cut off.
pub async fn serve(app: App, listener: TcpListener) -> anyhow::Result<()> {
    app.start_background().await;
    let router = crate::app(app.clone()).into_make_service_with_connect_info::<SocketAddr>();
    // An answer is one small write: waiting for more to send would only delay it.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    let stop = app.stop.clone();
    let serving =
        axum::serve(listener, router).with_graceful_shutdown(async move { stop.cancelled().await });
    let grace = app.settings.server.shutdown_grace;
    tokio::select! {
        ended = async { serving.await } => ended?,
        () = cut_off(&app, grace) => tracing::warn!("requests were cut off at the end"),
    }
    app.shut_down().await;
    Ok(())
}

/// Serves those who run the service, on a listener that the public cannot reach.
pub async fn serve_operations(app: App, listener: TcpListener) -> std::io::Result<()> {
    let stop = app.stop.clone();
    axum::serve(listener, metrics::operations(app))
        .with_graceful_shutdown(async move { stop.cancelled().await })
        .await
}

async fn cut_off(app: &App, grace: Duration) {
    app.stop.cancelled().await;
    tokio::time::sleep(grace).await;
}

/// Stops the service at SIGTERM or Ctrl-C.
pub async fn stop_at_signal(app: App) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping");
    app.stop.cancel();
    Ok(())
}
