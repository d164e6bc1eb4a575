"""Static files in production: names carry a hash of the content, bodies are compressed ahead."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Leaves the map files out that npm's packages mention and nobody is served."""

    support_js_module_import_aggregation = False
    patterns = (
        (
            "*.css",
            (r"""(?P<matched>url\(['"]{0,1}\s*(?P<url>.*?)["']{0,1}\))""",),
        ),
    )
