//! Devices that compute for other machines.

use std::net::TcpListener;

use burn::tensor::Device;

use crate::DeviceError;

/// Computes on `device` for whoever connects to `listener`, until the process is told to stop.
///
/// Others name it `remote:ws://HOST:PORT`. It trusts them: they may fill its memory, and nothing is encrypted.
///
/// # Errors
/// It was left out when the program was built, or the system does not let it listen.
#[cfg_attr(not(feature = "remote"), expect(unused_variables, reason = "nothing is lent without that feature"))]
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
