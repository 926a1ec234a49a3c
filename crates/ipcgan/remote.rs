//! Serves devices to other machines.

use std::net::TcpListener;

use burn::tensor::Device;

use crate::DeviceError;

/// Serves `device` to clients that connect to `listener`, until the process stops.
///
/// Clients use it as `remote:ws://HOST:PORT`. They are trusted (they can exhaust its memory), and the connection is not
/// encrypted.
///
/// # Errors
/// The feature `remote` is not enabled, or listening fails.
#[cfg_attr(not(feature = "remote"), expect(unused_variables, reason = "nothing is served without that feature"))]
pub fn serve_device(device: Device, listener: TcpListener) -> Result<(), DeviceError> {
    #[cfg(feature = "remote")]
    {
        use burn::server::{RemoteServer, WebSocketTransport};

        let served = RemoteServer::new([device]).serve(WebSocketTransport::from_listener(listener));
        served.map_err(|error| DeviceError::NotServed(error.to_string()))
    }
    #[cfg(not(feature = "remote"))]
    Err(DeviceError::NotCompiled("remote"))
}
