//! Messages on one line.

use std::error::Error;
use std::fmt::Display;

/// The message of `error`, followed by those of its causes, separated by colons; without those that are repeated, as by
/// Burn's error of a data set, whose message is that of its cause.
///
/// Only `error`'s own message can contain a line break, as part of a file name; the causes are
/// [`without_line_breaks`].
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let (mut last, mut cause) = (without_line_breaks(error), error.source());
    while let Some(error) = cause {
        let message = without_line_breaks(error);
        if message != last {
            text += ": ";
            text += &message;
        }
        (last, cause) = (message, error.source());
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

    /// An error with the message of its cause.
    #[derive(Debug)]
    struct Repeated(Failed);

    impl Display for Repeated {
        fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.fmt(formatter)
        }
    }

    impl Error for Repeated {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn a_message_that_repeats_its_cause_is_written_once() {
        let error = Repeated(Failed(io::Error::other("the device is gone")));

        assert_eq!(with_causes(&error), "it failed: the device is gone");
    }

    #[test]
    fn lines_are_joined_without_indentation_and_empty_lines() {
        let message = "3 tensors are missing:\n  conv1.weight,\r\n\n  conv1.bias,\rconv2.bias\n";

        assert_eq!(without_line_breaks(message), "3 tensors are missing: conv1.weight, conv1.bias, conv2.bias");
    }
}
