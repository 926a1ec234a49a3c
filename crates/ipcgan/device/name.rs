//! Parses and formats device names.

use std::fmt;
use std::str::FromStr;

use super::{DeviceChoice, DeviceError, Gpu};

/// Name of a remote device from its debug format, which alone contains the address.
pub(super) fn of_remote(debugged: &str) -> Option<String> {
    let between = |start: &str, end: char| Some(debugged.split_once(start)?.1.split_once(end)?.0);
    let (host, port) = (between("host: \"", '"')?, between("port: Some(", ')')?);
    Some(format!("the device of {host}:{port}"))
}

impl fmt::Display for Gpu {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => Ok(()),
            Self::Discrete(index) => write!(formatter, ":{index}"),
            Self::Integrated(index) => write!(formatter, ":i{index}"),
            Self::Software => write!(formatter, ":software"),
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.kind())?;
        match self {
            Self::Cuda(index) | Self::Rocm(index) if *index > 0 => write!(formatter, ":{index}"),
            Self::Wgpu(gpu) | Self::Vulkan(gpu) | Self::Metal(gpu) => write!(formatter, "{gpu}"),
            Self::Remote(address) => write!(formatter, ":{address}"),
            _ => Ok(()),
        }
    }
}

impl FromStr for DeviceChoice {
    type Err = DeviceError;

    fn from_str(name: &str) -> Result<Self, DeviceError> {
        let unknown = || DeviceError::Unknown(name.into());
        let (kind, given) = match name.trim().split_once(':') {
            Some((kind, which)) => (kind, Some(which)),
            None => (name.trim(), None),
        };
        // Device names are case-insensitive; remote addresses may not be.
        let (kind, lower) = (kind.to_ascii_lowercase(), given.map(str::to_ascii_lowercase));
        let which = lower.as_deref();
        let number = |text: &str| text.parse::<usize>().map_err(|_| unknown());
        let index = || which.map_or(Ok(0), number);
        let gpu = || match which {
            None => Ok(Gpu::Default),
            Some("software") => Ok(Gpu::Software),
            Some(text) => match text.strip_prefix('i') {
                Some(text) => number(text).map(Gpu::Integrated),
                None => number(text).map(Gpu::Discrete),
            },
        };
        match (kind.as_str(), which) {
            ("auto", None) => Ok(Self::Auto),
            ("cpu", None) => Ok(Self::Cpu),
            ("ndarray", None) => Ok(Self::NdArray),
            ("cuda", _) => index().map(Self::Cuda),
            ("rocm", _) => index().map(Self::Rocm),
            ("wgpu", _) => gpu().map(Self::Wgpu),
            ("vulkan", _) => gpu().map(Self::Vulkan),
            ("metal", _) => gpu().map(Self::Metal),
            ("remote", Some(_)) => given
                .filter(|address| !address.is_empty())
                .map(|address| Self::Remote(address.into()))
                .ok_or_else(unknown),
            _ => Err(unknown()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_name_is_parsed_and_formatted() {
        for name in ["auto", "cpu", "cuda", "cuda:1", "wgpu:i0", "vulkan:software", "metal:2"] {
            let choice: DeviceChoice = name.parse().unwrap();

            assert_eq!(choice.to_string(), name);
        }
    }

    #[test]
    fn a_name_is_case_insensitive_and_trimmed() {
        for (name, device) in
            [("CPU", "cpu"), (" Cuda:1", "cuda:1"), ("WGPU:I0 ", "wgpu:i0"), ("Vulkan:Software", "vulkan:software")]
        {
            assert_eq!(name.parse::<DeviceChoice>().unwrap().to_string(), device);
        }
        let remote: DeviceChoice = "Remote:ws://Host:7171".parse().unwrap();
        assert_eq!(remote, DeviceChoice::Remote("ws://Host:7171".into()));
    }

    #[cfg(feature = "remote")]
    #[test]
    fn a_remote_device_is_named_by_its_address() {
        let host = burn::remote::RemoteHost::websocket("ws://there:7171");
        let device = format!("{:?}", burn::tensor::Device::remote_options(&host));

        assert_eq!(of_remote(&device).unwrap(), "the device of there:7171", "{device}");
        assert_eq!(of_remote("Device<Flex>"), None);
    }

    #[test]
    fn a_device_that_does_not_exist_is_refused() {
        for name in ["gpu", "cpu:1", "cuda:x", "wgpu:", "remote", ""] {
            assert!(name.parse::<DeviceChoice>().is_err(), "{name}");
        }
    }
}
