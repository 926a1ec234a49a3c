//! Processes photos with limited concurrency and a limited queue.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::extract::Request;
use axum::http::StatusCode;
use ipcgan::data::DataError;
use ipcgan::photo::{self, Original};
use ipcgan::system::release_freed_memory;
use ipcgan::web_api::{self, MAX_PIXELS};
use ipcgan::{PhotoAging, PhotoFace};
use log::error;
use tokio::sync::Semaphore;
use tokio::time::interval;

use super::api_error::ApiError;
use super::body::BodyReceiver;
use super::upload::{Upload, receive_photo};

/// Queued photos per concurrent job.
const QUEUE_PER_WORKER: usize = 32;
/// Interval of idle checks.
const IDLE_CHECK: Duration = Duration::from_secs(5);

/// Ages photos with limited concurrency.
pub(super) struct PhotoService {
    pub(super) aging: PhotoAging,
    receiver: BodyReceiver,
    concurrency: usize,
    workers: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    /// Whether a job ran since memory was released.
    worked: AtomicBool,
    max_upload_mb: usize,
}

impl PhotoService {
    pub(super) fn new(aging: PhotoAging, concurrency: usize, max_upload_mb: usize, timeout: Duration) -> Self {
        let workers = Arc::new(Semaphore::new(concurrency));
        let queue = Arc::new(Semaphore::new(concurrency * (1 + QUEUE_PER_WORKER)));
        let receiver = BodyReceiver::new(max_upload_mb << 20, timeout);
        Self { aging, receiver, concurrency, workers, queue, worked: AtomicBool::new(false), max_upload_mb }
    }

    /// Maximum upload size in megabytes.
    pub(super) fn max_upload_mb(&self) -> usize {
        self.max_upload_mb
    }

    /// Releases memory when idle: a large photo takes hundreds of megabytes.
    pub(super) async fn release_memory_when_idle(self: Arc<Self>) {
        let mut checks = interval(IDLE_CHECK);
        loop {
            checks.tick().await;
            let is_idle = self.workers.available_permits() == self.concurrency;
            if is_idle && self.worked.swap(false, Ordering::Relaxed) {
                let _ = tokio::task::spawn_blocking(release_freed_memory).await;
            }
        }
    }

    /// Runs `work` on the photo in `request` and its faces.
    ///
    /// A photo enters the queue when it has arrived completely, so slow senders do not block it.
    pub(super) async fn process<T: Send + 'static>(
        self: Arc<Self>,
        request: Request,
        work: impl FnOnce(&PhotoAging, Original, Vec<PhotoFace>) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let upload = receive_photo(&self.receiver, request, self.max_upload_mb << 20).await?;
        let busy = || ApiError::busy("too many photos are queued; try again later");
        let place = self.queue.clone().try_acquire_owned().map_err(|_| busy())?;
        let worker = self.workers.clone().acquire_owned().await.map_err(|_| busy())?;
        let service = self.clone();
        let done = tokio::task::spawn_blocking(move || {
            // The client may have disconnected; the job still runs.
            let _held = (place, worker);
            service.worked.store(true, Ordering::Relaxed);
            let photo = decode(&upload)?;
            drop(upload);
            let faces = service.aging.faces(&photo.rgb());
            work(&service.aging, photo, faces)
        });
        done.await.unwrap_or_else(|error| {
            error!("a job failed: {error}");
            Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "the photo could not be processed"))
        })
    }
}

fn decode(upload: &Upload) -> Result<Original, ApiError> {
    let refused = |error: DataError| {
        let status = match &error {
            DataError::UnknownFormat { .. } | DataError::UnreadableKind { .. } | DataError::NotAnImage { .. } => {
                StatusCode::UNSUPPORTED_MEDIA_TYPE
            }
            DataError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        ApiError::new(status, error.user_message())
    };
    let origin = "the photo".as_ref();
    let pixels = photo::pixels_of(&upload.bytes, origin).map_err(refused)?;
    if pixels > MAX_PIXELS {
        return Err(ApiError::too_large(web_api::too_many_pixels()));
    }
    photo::original(&upload.bytes, origin).map_err(refused)
}
