//! Serves devices to other machines.

use std::net::TcpListener;
#[cfg(feature = "remote")]
use std::{sync::mpsc, thread};

use burn::tensor::Device;

use crate::DeviceError;

/// Serves `device` to clients that connect to any of `listeners`, until the process stops or a listener fails.
///
/// Clients use it as `remote:ws://HOST:PORT`. They are trusted (they can exhaust its memory), and the connection is not
/// encrypted.
///
/// # Errors
/// The feature `remote` is not enabled, or listening fails.
#[cfg_attr(not(feature = "remote"), expect(unused_variables, reason = "nothing is served without that feature"))]
pub fn serve_device(device: Device, listeners: Vec<TcpListener>) -> Result<(), DeviceError> {
    #[cfg(feature = "remote")]
    {
        use burn::server::{RemoteServer, WebSocketTransport};

        let (sender, ended) = mpsc::channel();
        for listener in listeners {
            let (device, sender) = (device.clone(), sender.clone());
            thread::spawn(move || {
                let served = RemoteServer::new([device]).serve(WebSocketTransport::from_listener(listener));
                sender.send(served.map_err(|error| error.to_string()))
            });
        }
        drop(sender);
        match ended.recv() {
            Ok(served) => served.map_err(DeviceError::NotServed),
            Err(_) => Err(DeviceError::NotServed("every server stopped without a reason".into())),
        }
    }
    #[cfg(not(feature = "remote"))]
    Err(DeviceError::NotCompiled("remote"))
}
