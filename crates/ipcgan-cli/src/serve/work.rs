//! Work on photos: so many at once, each with bounds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::StatusCode;
use ipcgan::data::DataError;
use ipcgan::model::give_back_freed_memory;
use ipcgan::photo::{self, Original};
use ipcgan::{PhotoAging, PhotoFace};
use tokio::sync::Semaphore;
use tokio::time::{interval, timeout};

/// Requests that wait for their turn, for each that is worked on.
const WAITING: usize = 32;
/// The most pixels of a photo: what the largest usual cameras have.
const MOST_PIXELS: u64 = 50_000_000;
/// From one look at whether nobody is at work to the next.
const PAUSE: Duration = Duration::from_secs(5);

/// Why a request is not answered, with the status that says so.
#[derive(Debug)]
pub(super) struct Refusal(pub(super) StatusCode, pub(super) String);

/// What ages photos, and its bounds.
pub(super) struct Workshop {
    pub(super) aging: PhotoAging,
    at_once: usize,
    turns: Arc<Semaphore>,
    places: Arc<Semaphore>,
    /// Whether there was work since memory was given back.
    worked: AtomicBool,
    most_bytes: usize,
    time: Duration,
}

impl Workshop {
    pub(super) fn new(aging: PhotoAging, at_once: usize, most_bytes: usize, time: Duration) -> Self {
        let (turns, places) = (Semaphore::new(at_once), Semaphore::new(at_once * (1 + WAITING)));
        let worked = AtomicBool::new(false);
        Self { aging, at_once, turns: Arc::new(turns), places: Arc::new(places), worked, most_bytes, time }
    }

    /// Gives memory back whenever nobody is at work: a large photo takes hundreds of megabytes, and the next may be far off.
    pub(super) async fn rest(self: Arc<Self>) {
        let mut pauses = interval(PAUSE);
        loop {
            pauses.tick().await;
            let idle = self.turns.available_permits() == self.at_once;
            if idle && self.worked.swap(false, Ordering::Relaxed) {
                let _ = tokio::task::spawn_blocking(give_back_freed_memory).await;
            }
        }
    }

    /// The largest photo that is taken.
    pub(super) fn most_megabytes(&self) -> usize {
        self.most_bytes >> 20
    }

    /// What `work` makes of the photo in `body` and its faces.
    pub(super) async fn on_photo<T: Send + 'static>(
        self: Arc<Self>,
        body: Body,
        work: impl FnOnce(&PhotoAging, Original, Vec<PhotoFace>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let busy = || Refusal(StatusCode::SERVICE_UNAVAILABLE, "too many photos wait already; try again soon".into());
        let place = self.places.clone().try_acquire_owned().map_err(|_| busy())?;
        // A slow sender takes nobody's turn.
        let bytes = timeout(self.time, to_bytes(body, self.most_bytes)).await;
        let bytes = match bytes {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(error)) => return Err(self.unread(&error)),
            Err(_) => return Err(Refusal(StatusCode::REQUEST_TIMEOUT, "the photo did not arrive in time".into())),
        };
        let turn = self.turns.clone().acquire_owned().await.map_err(|_| busy())?;
        let workshop = self.clone();
        let done = tokio::task::spawn_blocking(move || {
            // Whoever asked may have gone by now; the work has not.
            let _held = (place, turn);
            workshop.worked.store(true, Ordering::Relaxed);
            let photo = read(&bytes)?;
            drop(bytes);
            let faces = workshop.aging.faces(&photo.rgb());
            work(&workshop.aging, photo, faces)
        });
        done.await.map_err(|_| Refusal(StatusCode::INTERNAL_SERVER_ERROR, "the photo could not be worked on".into()))?
    }

    fn unread(&self, error: &axum::Error) -> Refusal {
        use std::error::Error;

        let too_long = error.source().is_some_and(|source| source.to_string().contains("length limit"));
        if too_long {
            let most = self.most_megabytes();
            return Refusal(StatusCode::PAYLOAD_TOO_LARGE, format!("a photo may have {most} megabytes at most"));
        }
        Refusal(StatusCode::BAD_REQUEST, "the photo arrived in part".into())
    }
}

fn read(bytes: &[u8]) -> Result<Original, Refusal> {
    let refused = |error: DataError| {
        let status = match &error {
            DataError::UnknownFormat { .. } | DataError::UnreadableKind { .. } | DataError::NoPicture { .. } => {
                StatusCode::UNSUPPORTED_MEDIA_TYPE
            }
            DataError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Refusal(status, error.to_string())
    };
    let origin = "photo".as_ref();
    let pixels = photo::pixels_of(bytes, origin).map_err(refused)?;
    if pixels > MOST_PIXELS {
        let most = MOST_PIXELS / 1_000_000;
        return Err(Refusal(StatusCode::PAYLOAD_TOO_LARGE, format!("a photo may have {most} million pixels at most")));
    }
    photo::original(bytes, origin).map_err(refused)
}
