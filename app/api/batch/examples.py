"""Examples of the document: the batch of docs/batches.rst."""

ID = "0199c1e2-7a34-7c52-9d1f-5b0f8a6c2e11"
DEFINITION: dict[str, object] = {
    "name": "multi_cloud_deployment",
    "version": "1.0.0",
    "storage_backend": "filesystem",
    "parallel_limit": 5,
    "rollback_enabled": True,
    "operations": [
        {
            "id": "upcloud_servers",
            "type": "server_batch",
            "provider": "upcloud",
            "dependencies": [],
            "server_configs": [
                {"name": "web-01", "plan": "1xCPU-2 GB", "zone": "de-fra1"},
                {"name": "web-02", "plan": "1xCPU-2 GB", "zone": "us-nyc1"},
            ],
        },
        {
            "id": "aws_taskservs",
            "type": "taskserv_batch",
            "provider": "aws",
            "dependencies": ["upcloud_servers"],
            "taskservs": ["kubernetes", "cilium", "containerd"],
        },
    ],
}
ORDER = {"batch_workflow": DEFINITION}
SUBMITTED = {
    "workflow_id": ID,
    "name": "multi_cloud_deployment",
    "version": "1.0.0",
    "status": "Pending",
    "total_operations": 2,
    "total_items": 8,
    "levels": [["upcloud_servers"], ["aws_taskservs"]],
    "warnings": [],
}
SUMMARY = {
    "workflow_id": ID,
    "name": "multi_cloud_deployment",
    "version": "1.0.0",
    "status": "Running",
    "total_operations": 2,
    "completed_operations": 1,
    "failed_operations": 0,
    "created_at": "2026-01-13T12:00:00.000Z",
    "started_at": "2026-01-13T12:00:00.120Z",
    "completed_at": None,
}
ITEM = {
    "name": "web-01",
    "status": "Completed",
    "resource_id": "00798b85-efdc-41ca-8021-f6ef457b8531",
    "error": None,
}
DETAIL = {
    **SUMMARY,
    "storage_backend": "filesystem",
    "parallel_limit": 5,
    "rollback_enabled": True,
    "operations": [
        {
            "id": "upcloud_servers",
            "type": "server_batch",
            "provider": "upcloud",
            "status": "Completed",
            "dependencies": [],
            "attempts": 1,
            "items": [ITEM],
            "output": None,
            "error": None,
        }
    ],
    "checkpoints": [],
    "rollback": None,
    "retry_of": None,
    "rollback_of": None,
    "error": None,
}
PROGRESS = {
    "workflow_id": ID,
    "status": "Running",
    "total_operations": 2,
    "completed_operations": 1,
    "failed_operations": 0,
    "running_operations": ["aws_taskservs"],
    "pending_operations": [],
    "percent": 50.0,
    "current_level": 1,
    "estimated_completion": "2026-01-13T12:01:30.000Z",
    "last_checkpoint": None,
}
ROLLBACK = {
    "rollback_id": "0199c1e4-10bb-7f0e-8d0c-2f6f1f0b7a52",
    "workflow_id": ID,
    "status": "RollingBack",
    "operations": ["aws_taskservs", "upcloud_servers"],
}
CHANGED = {"workflow_id": ID, "status": "Running"}
STATS = {
    "total": 12,
    "by_status": {"Completed": 10, "RolledBack": 2},
    "by_provider": {"upcloud": 9, "aws": 5, "local": 3},
    "by_operation_type": {"server_batch": 14, "taskserv_batch": 9},
    "success_rate": 0.83,
    "avg_duration_seconds": 74.2,
    "rollbacks": {"total": 2, "succeeded": 2, "failed": 0},
    "active": 0,
    "queued": 0,
}
GRAPH = {
    "levels": [["upcloud_servers"], ["aws_taskservs"]],
    "nodes": [
        {
            "id": "upcloud_servers",
            "type": "server_batch",
            "provider": "upcloud",
            "status": "Completed",
            "level": 0,
        },
        {"id": "aws_taskservs", "type": "taskserv_batch", "provider": "aws", "status": "Running", "level": 1},
    ],
    "edges": [
        {
            "from": "upcloud_servers",
            "to": "aws_taskservs",
            "type": "hard",
            "condition": "success",
            "absent": False,
        }
    ],
}
