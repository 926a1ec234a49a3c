//! Listening addresses of `serve` and `worker`.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};
use std::str::FromStr;

use anyhow::{Context, Result, anyhow};
use serde::Serialize;

use crate::invalid_value::InvalidValue;

/// A host name or address to listen on, optionally with a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListenHost {
    /// Without brackets around an IPv6 address.
    pub(crate) name: String,
    pub(crate) port: Option<u16>,
}

impl FromStr for ListenHost {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let wrong = || {
            InvalidValue::new(format!(
                "`{text}` is not a host: use a name or an address such as localhost, 0.0.0.0, localhost:8080 or \
                 [::1]:8080"
            ))
        };
        if text.parse::<IpAddr>().is_ok() {
            return Ok(Self { name: text.into(), port: None });
        }
        let (name, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, port) = rest.split_once(']').ok_or_else(wrong)?;
                address.parse::<Ipv6Addr>().map_err(|_| wrong())?;
                (address, if port.is_empty() { None } else { Some(port.strip_prefix(':').ok_or_else(wrong)?) })
            }
            None => text.split_once(':').map_or((text, None), |(name, port)| (name, Some(port))),
        };
        let is_name = !name.is_empty() && !name.contains(|letter: char| letter.is_whitespace() || letter == '/');
        let port = port.map(str::parse).transpose().map_err(|_| wrong())?;
        if is_name { Ok(Self { name: name.into(), port }) } else { Err(wrong()) }
    }
}

/// Where a server listens.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ListenRequest {
    /// Host name or address.
    pub(crate) host: String,
    /// 0 for any free port.
    pub(crate) port: u16,
}

impl ListenRequest {
    /// Listens on every address of the host, IPv4 first, all with the same port.
    ///
    /// # Errors
    /// The host has no local address, or a port is in use.
    pub(crate) fn bind(&self) -> Result<Vec<TcpListener>> {
        let Self { host: name, port } = self;
        let resolved = (name.as_str(), *port).to_socket_addrs();
        let resolved = resolved.with_context(|| format!("cannot find the address of host `{name}`"))?;
        let mut addresses: Vec<SocketAddr> = resolved.collect();
        addresses.sort_by_key(|address| (address.is_ipv6(), *address));
        addresses.dedup();
        bind_all(&addresses)
            .with_context(|| format!("cannot listen on {name}, port {port}; choose others with --host and --port"))
    }
}

fn bind_all(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>> {
    let mut listeners: Vec<TcpListener> = Vec::new();
    let mut unavailable = anyhow!("the host has no address");
    for address in addresses {
        // If any port is allowed, all addresses share it.
        let port =
            listeners.first().map_or(Ok(address.port()), |first| first.local_addr().map(|first| first.port()))?;
        match TcpListener::bind((address.ip(), port)) {
            Ok(listener) => listeners.push(listener),
            // `localhost` has an IPv6 address even where the system has no IPv6.
            Err(error) if matches!(error.kind(), ErrorKind::AddrNotAvailable | ErrorKind::Unsupported) => {
                unavailable = error.into();
            }
            Err(error) => return Err(error.into()),
        }
    }
    if listeners.is_empty() { Err(unavailable) } else { Ok(listeners) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str, port: Option<u16>) -> Result<ListenHost, InvalidValue> {
        Ok(ListenHost { name: name.into(), port })
    }

    #[test]
    fn a_host_is_a_name_or_an_address_with_or_without_a_port() {
        assert_eq!("localhost".parse(), host("localhost", None));
        assert_eq!("gpu-machine:7171".parse(), host("gpu-machine", Some(7171)));
        assert_eq!("0.0.0.0:0".parse(), host("0.0.0.0", Some(0)));
        assert_eq!("::1".parse(), host("::1", None));
        assert_eq!("[::1]".parse(), host("::1", None));
        assert_eq!("[::1]:80".parse(), host("::1", Some(80)));
    }

    #[test]
    fn an_invalid_host_is_rejected_with_examples() {
        for text in [
            "",
            ":80",
            "http://localhost",
            "localhost:port",
            "localhost:99999",
            "[::1",
            "[::1]80",
            "[localhost]",
            "a b",
        ] {
            let error = text.parse::<ListenHost>().unwrap_err().to_string();

            assert!(error.contains("localhost:8080"), "{text}: {error}");
        }
    }

    #[test]
    fn localhost_listens_on_all_its_addresses_with_one_port() {
        let request = ListenRequest { host: "localhost".into(), port: 0 };

        let listeners = request.bind().unwrap();

        let addresses: Vec<SocketAddr> = listeners.iter().map(|listener| listener.local_addr().unwrap()).collect();
        assert!(addresses.iter().all(|address| address.ip().is_loopback() && address.port() == addresses[0].port()));
    }

    #[test]
    fn a_port_in_use_is_rejected() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let _listener = TcpListener::bind(("127.0.0.1", taken)).unwrap();

        let error = ListenRequest { host: "127.0.0.1".into(), port: taken }.bind().unwrap_err();

        assert!(format!("{error:#}").contains(&format!("port {taken}")));
    }
}
