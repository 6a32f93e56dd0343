# Prints the signature that botocore makes for the request on stdin, with the dummy keys of the tests.
import base64
import json
import sys

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

given = json.load(sys.stdin)
signer = SigV4Auth(Credentials("test-key", "test-key"), "bedrock", given["region"])
url = f"http://{given['headers']['host']}{given['path']}"
request = AWSRequest(given["method"], url, headers=given["headers"], data=base64.b64decode(given["body"]))
request.context["timestamp"] = given["date"]
print(signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request))
