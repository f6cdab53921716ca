"""Accounts at clouds as examples."""

from app.api.v1.examples import AT

ACCOUNT_BODY = {
    "name": "aws",
    "provider": "aws",
    "region": "eu-central-1",
    "plans": {"2xCPU-4GB": "t3.medium"},
    "credentials": {"accessKeyId": "AKIAEXAMPLE", "secretAccessKey": "…"},
}
ACCOUNT = {
    "id": "acc_01kc9v5q8w3f7x2m4n6p8r0t1v",
    "name": "aws",
    "provider": "aws",
    "description": None,
    "endpoint": None,
    "region": "eu-central-1",
    "zones": {},
    "plans": {"2xCPU-4GB": "t3.medium"},
    "image": None,
    "sshUser": "root",
    "sshPort": 22,
    "callsAtOnce": 4,
    "callsASecond": 5,
    "credentialsVersion": 1,
    "publicKey": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA… windlass",
    "createdAt": AT,
    "updatedAt": AT,
}
ACCOUNT_CHECK = {
    "ok": True,
    "name": "arn:aws:iam::123456789012:user/windlass",
    "clockSkewMs": 12,
    "plans": [{"name": "t3.medium", "cpus": 2, "memoryMb": 4096}],
    "zones": ["eu-central-1a"],
}
