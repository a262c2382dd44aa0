"""Where static and uploaded files go."""

from functools import cached_property
from typing import Any
from urllib.parse import urljoin

from django.conf import settings
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage
from django.core.files.base import File
from django.core.files.storage import Storage
from django.utils.deconstruct import deconstructible
from django.utils.encoding import filepath_to_uri


class HashedStaticFiles(ManifestStaticFilesStorage):
    """Hashed names for everything, the imports inside of JavaScript modules included."""

    support_js_module_import_aggregation = True


@deconstructible(path="bookshop.storage.MediaBucket")
class MediaBucket(Storage):
    """Uploads in a bucket, under the prefix `media/`, read by visitors through the CDN at MEDIA_URL.

    A page that only links to covers needs nothing but their URLs, and importing boto3 for that would make a cold start
    half as long again; so S3Storage comes in when a file is read or written, and not before.
    """

    def __init__(self, bucket_name: str) -> None:
        self.bucket_name = bucket_name

    @cached_property
    def bucket(self) -> Any:
        from storages.backends.s3 import S3Storage

        return S3Storage(
            bucket_name=self.bucket_name,
            location="media",
            default_acl=None,
            file_overwrite=False,
            object_parameters={"CacheControl": "public, max-age=86400"},
        )

    def url(self, name: str | None) -> str:
        return urljoin(settings.MEDIA_URL, filepath_to_uri(name))

    def _open(self, name: str, mode: str = "rb") -> File:
        return self.bucket.open(name, mode)

    def _save(self, name: str, content: File) -> str:
        return self.bucket._save(name, content)

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        return self.bucket.get_available_name(name, max_length)

    def delete(self, name: str) -> None:
        self.bucket.delete(name)

    def exists(self, name: str) -> bool:
        return self.bucket.exists(name)

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        return self.bucket.listdir(path)

    def size(self, name: str) -> int:
        return self.bucket.size(name)
