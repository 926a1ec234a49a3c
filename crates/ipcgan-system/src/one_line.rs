//! Messages on one line.

use std::error::Error;
use std::fmt::Display;

/// The message of `error`, followed by those of its causes, separated by colons.
///
/// Only `error`'s own message can contain a line break, as part of a file name; the causes are
/// [`without_line_breaks`].
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += ": ";
        text += &without_line_breaks(error);
        cause = error.source();
    }
    text
}

/// `message` with its lines joined by spaces, without their indentation and without empty lines: libraries list names on
/// lines of their own.
///
/// The result contains neither line feeds nor carriage returns.
pub fn without_line_breaks(message: &(impl Display + ?Sized)) -> String {
    let message = message.to_string();
    message.split(['\n', '\r']).map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::fmt;
    use std::io;

    use super::*;

    /// An error with a cause.
    #[derive(Debug)]
    struct Failed(io::Error);

    impl Display for Failed {
        fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("it failed")
        }
    }

    impl Error for Failed {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn an_error_is_followed_by_its_causes() {
        let error = Failed(io::Error::other("the device is gone:\n  no answer\n"));

        assert_eq!(with_causes(&error), "it failed: the device is gone: no answer");
    }

    #[test]
    fn lines_are_joined_without_indentation_and_empty_lines() {
        let message = "3 tensors are missing:\n  conv1.weight,\r\n\n  conv1.bias,\rconv2.bias\n";

        assert_eq!(without_line_breaks(message), "3 tensors are missing: conv1.weight, conv1.bias, conv2.bias");
    }
}
