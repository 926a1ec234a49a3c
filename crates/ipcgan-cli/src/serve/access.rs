//! Access control by host and origin.
//!
//! Pages of other sites must not use this program through the visitor's browser, neither by DNS rebinding nor by
//! cross-site requests.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::api_error::ApiError;

/// Hosts whose requests are accepted.
#[derive(Clone, Debug)]
pub(super) struct AccessPolicy {
    /// From `--allow-host`, in lower case.
    allowed: Vec<String>,
    reach: Reach,
}

/// Who can reach the listening address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Only programs on this computer.
    Loopback,
    /// Other computers, too, by any name of this one.
    Network,
}

impl AccessPolicy {
    pub(super) fn new(allowed: &[String], reach: Reach) -> Self {
        Self { allowed: allowed.iter().map(|name| name.to_ascii_lowercase()).collect(), reach }
    }

    /// Checks the `Host` of a request.
    fn check_host(&self, request: &Request) -> Result<(), ApiError> {
        let Some(authority) = authority(request)? else { return Ok(()) };
        let host = bare_host(&authority);
        let address = host.parse::<IpAddr>().ok();
        let is_local =
            host == "localhost" || host.ends_with(".localhost") || address.is_some_and(|it| it.is_loopback());
        let is_served = match self.reach {
            Reach::Loopback => is_local,
            Reach::Network => is_local || address.is_some() || self.allowed.is_empty(),
        };
        if is_served || self.allowed.contains(&host) {
            return Ok(());
        }
        Err(ApiError::forbidden(format!(
            "requests to host `{host}` are not allowed; start the program with --allow-host {host} to allow them"
        )))
    }

    /// Checks that a request with side effects is same-origin, or does not come from a browser.
    ///
    /// Source: the order of checks is that of `net/http`'s `CrossOriginProtection` in Go.
    fn check_origin(&self, request: &Request) -> Result<(), ApiError> {
        let headers = request.headers();
        let origin = match headers.get(header::ORIGIN).map(|value| value.to_str().ok().and_then(origin_authority)) {
            Some(Some(origin)) if self.allowed.contains(&bare_host(&origin)) => return Ok(()),
            origin => origin,
        };
        let is_same = match headers.get("sec-fetch-site") {
            Some(site) => matches!(site.as_bytes(), b"same-origin" | b"none"),
            // Programs other than browsers send neither header.
            None => origin.is_none_or(|origin| {
                let host = authority(request).ok().flatten();
                origin.zip(host).is_some_and(|(origin, host)| origin.as_str().eq_ignore_ascii_case(host.as_str()))
            }),
        };
        if is_same {
            return Ok(());
        }
        Err(ApiError::forbidden("cross-site requests are not allowed"))
    }
}

/// Middleware that enforces the policy.
pub(super) async fn check_access(State(policy): State<Arc<AccessPolicy>>, request: Request, next: Next) -> Response {
    let mut checked = policy.check_host(&request);
    if !request.method().is_safe() {
        checked = checked.and_then(|()| policy.check_origin(&request));
    }
    match checked {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

/// Host and port of a request; `None` if an HTTP/1.0 request has none.
fn authority(request: &Request) -> Result<Option<Authority>, ApiError> {
    if let Some(authority) = request.uri().authority() {
        return Ok(Some(authority.clone()));
    }
    match host_header(request.headers())? {
        None if request.version() >= Version::HTTP_11 => Err(ApiError::bad_request("the request has no host")),
        authority => Ok(authority),
    }
}

fn host_header(headers: &HeaderMap) -> Result<Option<Authority>, ApiError> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(ApiError::bad_request("the request has several hosts"));
    }
    let parsed = host.map(|host| Authority::try_from(host.as_bytes())).transpose();
    parsed.map_err(|_| ApiError::bad_request("the host of the request is invalid"))
}

/// Host and port of an origin such as `http://localhost:8080`.
fn origin_authority(origin: &str) -> Option<Authority> {
    origin.parse::<Uri>().ok()?.into_parts().authority
}

/// Host without port, brackets and trailing dot, in lower case.
fn bare_host(authority: &Authority) -> String {
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::StatusCode;

    use super::*;

    fn request(headers: &[(&str, &str)]) -> Request {
        let builder = Request::builder().method("POST").uri("/api/faces");
        let request = headers.iter().fold(builder, |request, (name, value)| request.header(*name, *value));
        request.body(Body::empty()).unwrap()
    }

    fn is_served(policy: &AccessPolicy, host: &str) -> bool {
        policy.check_host(&request(&[("host", host)])).is_ok()
    }

    fn is_own(policy: &AccessPolicy, headers: &[(&str, &str)]) -> bool {
        let headers: Vec<_> = [("host", "127.0.0.1:8080")].into_iter().chain(headers.iter().copied()).collect();
        policy.check_origin(&request(&headers)).is_ok()
    }

    #[test]
    fn on_loopback_only_names_of_this_computer_are_served() {
        let policy = AccessPolicy::new(&[], Reach::Loopback);

        for host in [
            "localhost",
            "LOCALHOST:8080",
            "localhost.",
            "photos.localhost",
            "127.0.0.1:8080",
            "127.1.2.3",
            "[::1]:8080",
        ] {
            assert!(is_served(&policy, host), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:8080",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "192.168.0.1",
            "0.0.0.0",
            "notlocalhost",
        ] {
            assert!(!is_served(&policy, host), "{host}");
        }
    }

    #[test]
    fn an_allowed_host_is_served() {
        let policy = AccessPolicy::new(&["Photos.Example".into()], Reach::Loopback);

        assert!(is_served(&policy, "photos.example") && is_served(&policy, "localhost"));
        assert!(!is_served(&policy, "other.example"));
    }

    #[test]
    fn on_a_network_any_host_is_served_unless_hosts_are_allowed() {
        assert!(is_served(&AccessPolicy::new(&[], Reach::Network), "my-machine.local"));
        let policy = AccessPolicy::new(&["photos.example".into()], Reach::Network);

        assert!(is_served(&policy, "photos.example") && is_served(&policy, "192.168.0.7:8080"));
        assert!(!is_served(&policy, "my-machine.local"));
    }

    #[test]
    fn a_request_names_exactly_one_host() {
        let policy = AccessPolicy::new(&[], Reach::Loopback);
        let status = |headers: &[_]| policy.check_host(&request(headers)).unwrap_err().status;

        assert_eq!(status(&[]), StatusCode::BAD_REQUEST);
        assert_eq!(status(&[("host", "localhost"), ("host", "evil.example")]), StatusCode::BAD_REQUEST);
        assert_eq!(status(&[("host", "a b")]), StatusCode::BAD_REQUEST);
        let absolute = Request::builder().uri("http://evil.example/").header("host", "localhost");
        assert!(policy.check_host(&absolute.body(Body::empty()).unwrap()).is_err());
    }

    #[test]
    fn uploads_are_same_origin_or_not_from_a_browser() {
        let policy = AccessPolicy::new(&["photos.example".into()], Reach::Loopback);

        assert!(is_own(&policy, &[]));
        assert!(is_own(&policy, &[("sec-fetch-site", "same-origin"), ("origin", "http://127.0.0.1:8080")]));
        assert!(is_own(&policy, &[("sec-fetch-site", "none")]));
        assert!(is_own(&policy, &[("origin", "http://127.0.0.1:8080")]));
        assert!(is_own(&policy, &[("origin", "https://photos.example"), ("sec-fetch-site", "cross-site")]));
        for site in ["cross-site", "same-site", "else"] {
            assert!(!is_own(&policy, &[("sec-fetch-site", site)]), "{site}");
        }
        for origin in ["http://evil.example", "http://127.0.0.1:9090", "null", "http://"] {
            assert!(!is_own(&policy, &[("origin", origin)]), "{origin}");
        }
    }
}
