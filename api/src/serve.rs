//! `portcullis serve`: from a listening socket to a clean end. May use every room; nobody uses it but the
//! command.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::http::connections;
use crate::http::operations;
use crate::{App, jobs, pages};

/// Serves until told to stop, lets running requests finish for a while, then ends the background
/// work. What is still unanswered after that while is cut off.
pub async fn serve(app: App, listener: TcpListener) -> anyhow::Result<()> {
    jobs::start(&app).await;
    let server = &app.settings.server;
    let (header_timeout, grace) = (server.header_timeout, server.shutdown_grace);
    let router = pages::routes::beside_api(&app);
    tell_supervisor(NotifyState::Ready);
    tokio::select! {
        () = connections::serve(listener, router, header_timeout, app.background.stop.clone()) => {}
        () = cut_off(&app, grace) => tracing::warn!("requests were cut off at shutdown"),
    }
    app.shut_down().await;
    Ok(())
}

/// Serves those who run the service, on a listener that the public cannot reach.
pub async fn serve_operations(app: App, listener: TcpListener) {
    let (header_timeout, stop) = (app.settings.server.header_timeout, app.background.stop.clone());
    connections::serve(listener, operations::routes(app), header_timeout, stop).await;
}

async fn cut_off(app: &App, grace: Duration) {
    app.background.stop.cancelled().await;
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
    tell_supervisor(NotifyState::Stopping);
    app.background.stop.cancel();
    Ok(())
}

/// For systemd's `Type=notify`. Under anything else it does nothing; that nobody listens any more is
/// no reason to stop.
fn tell_supervisor(state: NotifyState<'_>) {
    if let Err(cause) = sd_notify::notify(&[state]) {
        tracing::warn!(%cause, "systemd could not be told (NOTIFY_SOCKET)");
    }
}
