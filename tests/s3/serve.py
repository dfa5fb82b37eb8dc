"""Serves moto's imitation of S3 on a free port of this machine, one request at a time.

moto looks whether a key is free and puts to it in two steps; only behind a lock is its If-None-Match atomic.
"""

import threading

import boto3
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

BUCKET = "my-dr-bucket-us-west-2"


class Quiet(WSGIRequestHandler):
    """Logs nothing."""

    def log(self, *_):
        pass


def main():
    application = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", 0, application, threaded=False, request_handler=Quiet)
    address = f"http://127.0.0.1:{server.server_port}"
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    client = boto3.client("s3", endpoint_url=address, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    client.create_bucket(Bucket=BUCKET)
    print(address, flush=True)
    serving.join()


main()
