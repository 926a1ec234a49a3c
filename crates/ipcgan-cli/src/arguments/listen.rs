//! The address on which `serve` and `worker` listen.

use anyhow::Result;
use clap::Args;

use crate::devices::WORKER_PORT;
use crate::exit_reason::usage_error;
use crate::listen::{ListenHost, ListenRequest};
use crate::serve::PORT;

#[derive(Debug, Args)]
pub(super) struct ListenArguments {
    /// Host name or address to listen on, optionally with a port: localhost, 0.0.0.0 (all interfaces),
    /// 192.168.0.7:9000.
    #[arg(long, visible_alias = "listen", value_name = "HOST", default_value = "127.0.0.1")]
    host: ListenHost,
    #[arg(long, help = port_help())]
    port: Option<u16>,
}

fn port_help() -> String {
    format!("Port to listen on, 0 for any free port [default: {PORT} for `serve`, {WORKER_PORT} for `worker`]")
}

impl ListenArguments {
    /// The address, with `default_port` if none is given.
    ///
    /// # Errors
    /// `--host` and `--port` name different ports.
    pub(super) fn request(self, default_port: u16) -> Result<ListenRequest> {
        let port = match (self.host.port, self.port) {
            (Some(one), Some(other)) if one != other => {
                return Err(usage_error(format!("--host names port {one} and --port {other}; give one of them")));
            }
            (one, other) => one.or(other).unwrap_or(default_port),
        };
        Ok(ListenRequest { host: self.host.name, port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(host: &str, port: Option<u16>) -> Result<u16> {
        ListenArguments { host: host.parse().unwrap(), port }.request(80).map(|request| request.port)
    }

    #[test]
    fn host_and_port_must_not_name_different_ports() {
        assert_eq!(port("localhost", None).unwrap(), 80);
        assert_eq!(port("localhost:1", None).unwrap(), 1);
        assert_eq!(port("localhost", Some(2)).unwrap(), 2);
        assert_eq!(port("localhost:2", Some(2)).unwrap(), 2);
        assert!(port("localhost:1", Some(2)).unwrap_err().to_string().contains("give one of them"));
    }
}
