//! Arguments of `ipcgan serve`.

use std::time::Duration;

use anyhow::Result;
use clap::{Args, value_parser};
use ipcgan::web_api::MAX_UPLOAD_MB;

use super::device::DeviceArgument;
use super::listen::ListenArguments;
use super::weights::WeightsArgument;
use crate::serve::{PORT, ServeRequest};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ipcgan serve                               then open http://127.0.0.1:8080
  ipcgan serve --host 0.0.0.0 --port 9000    also reachable from other computers
  curl -F photo=@photo.jpg 'http://127.0.0.1:8080/api/age?age=60' -o older.png
The HTTP API is described at /api/openapi.json. Nothing is written to disk.")]
pub(crate) struct ServeArguments {
    #[command(flatten)]
    listen: ListenArguments,
    /// Also accept requests to this host name, such as that of a reverse proxy; can be repeated. Without it, a server
    /// on localhost accepts only the names of this computer.
    #[arg(long, value_name = "NAME")]
    allow_host: Vec<String>,
    /// Number of photos processed at the same time; other requests are queued.
    #[arg(long, default_value_t = 2, value_name = "COUNT", value_parser = value_parser!(u16).range(1..=1024))]
    concurrency: u16,
    /// Maximum size of an uploaded photo in megabytes.
    #[arg(
        long,
        default_value_t = MAX_UPLOAD_MB as u16,
        value_name = "MEGABYTES",
        value_parser = value_parser!(u16).range(1..=4096)
    )]
    max_upload_mb: u16,
    /// Seconds within which an upload must complete.
    #[arg(long, default_value_t = 30, value_name = "SECONDS", value_parser = value_parser!(u16).range(1..=3600))]
    timeout: u16,
    #[command(flatten)]
    weights: WeightsArgument,
    #[command(flatten)]
    device: DeviceArgument,
}

impl ServeArguments {
    /// # Errors
    /// The host and the port contradict each other.
    pub(crate) fn request(self) -> Result<ServeRequest> {
        Ok(ServeRequest {
            listen: self.listen.request(PORT)?,
            allowed_hosts: self.allow_host,
            concurrency: self.concurrency.into(),
            max_upload_mb: self.max_upload_mb.into(),
            timeout: Duration::from_secs(self.timeout.into()),
            weights: self.weights.weights,
            device: self.device.choice(),
        })
    }
}
