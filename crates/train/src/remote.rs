//! Devices of other machines, through Burn's remote backend, in builds with the feature `remote`.
//!
//! One machine serves its device, others use it as `remote:ws://HOST:PORT`. The connection is not encrypted: use it on a
//! network that you trust.

use crate::{Error, Result, Selected, probe};
use burn::{
    server::{RemoteServer, WebSocketTransport},
    tensor::{Device, remote::RemoteHost},
};
use std::net::TcpListener;

/// Serves `device` on `listener` until the process gets SIGINT or SIGTERM.
///
/// # Errors
/// [`Error::Device`] where Burn cannot serve it.
pub fn serve(device: &Device, listener: TcpListener) -> Result<()> {
    RemoteServer::new([device.clone().inner()])
        .serve(WebSocketTransport::from_listener(listener))
        .map_err(Error::device("serve the device"))
}

/// The device that the server at `url`, such as `ws://gpu:3000`, serves.
pub(crate) fn select(request: &str, url: &str) -> Result<Selected> {
    let absent = |reason: String| Error::DeviceAbsent { request: request.to_string(), reason, found: "none".into() };
    let host = RemoteHost::websocket(url);
    let connected = probe::guarded(move || Device::remote_options(&host).init().map_err(|error| error.to_string()));
    let device = connected.and_then(|device| device).map_err(absent)?;
    let probed = device.clone();
    probe::guarded(move || probe::gradient_step(&probed)).and_then(|passed| passed).map_err(absent)?;
    Ok(Selected { device, name: format!("remote:{url}"), reason: "asked for, and passed the probe".into() })
}
