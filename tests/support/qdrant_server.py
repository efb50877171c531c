"""The part of Qdrant's REST API that qdrant-client calls here, over Qdrant's embedded engine.

`python -m tests.support.qdrant_server --path DIR [--port N] [--api-key KEY]` prints its port. What
it stores, scores and filters with is Qdrant's own engine; what it imitates is the HTTP around it.
"""

from __future__ import annotations

import argparse
import json
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import qdrant_edge as edge

Shards = dict[str, edge.EdgeShard]


class Engine:
    """Collections by name, each a shard in a folder of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = threading.Lock()
        self.shards: Shards = {
            folder.name: edge.EdgeShard.load(str(folder))
            for folder in sorted(path.iterdir())
            if folder.is_dir()
        }

    def create(self, name: str, body: dict[str, Any]) -> bool:
        if name in self.shards:
            raise FileExistsError(f"Collection `{name}` already exists!")
        vectors = {
            key: edge.EdgeVectorParams(size=given["size"], distance=edge.Distance.Cosine)
            for key, given in (body.get("vectors") or {}).items()
        }
        sparse = {
            key: edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf)
            for key, given in (body.get("sparse_vectors") or {}).items()
            if given.get("modifier") == "idf"
        }
        (self.path / name).mkdir()
        config = edge.EdgeConfig(vectors=vectors, sparse_vectors=sparse)
        self.shards[name] = edge.EdgeShard.create(str(self.path / name), config)
        return True

    def describe(self, name: str) -> dict[str, Any]:
        """The collection as Qdrant describes it; only what the engine knows is its own."""
        info = self.shards[name].info()
        config = json.loads((self.path / name / "edge_config.json").read_text())
        sparse = {
            key: {"modifier": str(given.get("modifier", "none")).lower()}
            for key, given in (config.get("sparse_vectors") or {}).items()
        }
        hnsw = {"m": 16, "ef_construct": 100, "full_scan_threshold": 10000}
        optimizers = {
            "deleted_threshold": 0.2, "vacuum_min_vector_number": 1000,
            "default_segment_number": 0, "flush_interval_sec": 5,
        }  # fmt: skip
        return {
            "status": "green", "optimizer_status": "ok", "segments_count": info.segments_count,
            "points_count": info.points_count,
            "config": {
                "params": {"vectors": {}, "sparse_vectors": sparse},
                "hnsw_config": hnsw, "optimizer_config": optimizers,
            },
            "payload_schema": {
                key: {"data_type": "keyword", "points": info.points_count}
                for key in info.payload_schema
            },
        }  # fmt: skip

    def index(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        field = edge.UpdateOperation.create_field_index(
            body["field_name"], edge.PayloadSchemaType.Keyword
        )
        self._update(name, field)
        return {"operation_id": 0, "status": "completed"}

    def upsert(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        points = [
            edge.Point(p["id"], {k: _vector(v) for k, v in p["vector"].items()}, p.get("payload"))
            for p in body["points"]
        ]
        self._update(name, edge.UpdateOperation.upsert_points(points))
        return {"operation_id": 0, "status": "completed"}

    def delete(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        self._update(name, edge.UpdateOperation.delete_points(body["points"]))
        return {"operation_id": 0, "status": "completed"}

    def _update(self, name: str, operation: edge.UpdateOperation) -> None:
        self.shards[name].update(operation)
        self.shards[name].flush()

    def scroll(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        request = edge.ScrollRequest(
            offset=body.get("offset"), limit=body["limit"],
            with_payload=body.get("with_payload"), with_vector=False,
        )  # fmt: skip
        records, offset = self.shards[name].scroll(request)
        return {"points": [_record(r) for r in records], "next_page_offset": _id(offset)}

    def retrieve(self, name: str, body: dict[str, Any]) -> list[dict[str, Any]]:
        records = self.shards[name].retrieve(body["ids"], body.get("with_payload"), False)
        return [_record(r) for r in records]

    def count(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        return {"count": self.shards[name].count(edge.CountRequest(exact=body["exact"]))}

    def query(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        given, limit = body["query"], body["limit"]
        if "rrf" in given:
            prefetches = [
                edge.Prefetch(limit=p["limit"], query=_nearest(p), filter=_filter(p.get("filter")))
                for p in body["prefetch"]
            ]
            query: Any = edge.Fusion.Rrf(k=given["rrf"]["k"])
            request = edge.QueryRequest(
                limit=limit, query=query, prefetches=prefetches, with_payload=True
            )
        else:
            request = edge.QueryRequest(
                limit=limit, query=_nearest(body), filter=_filter(body.get("filter")),
                with_payload=True,
            )  # fmt: skip
        found = self.shards[name].query(request)
        hits = [{**_record(hit), "version": 0, "score": hit.score} for hit in found]
        return {"points": hits}


def _vector(given: Any) -> Any:
    if isinstance(given, dict):
        return edge.SparseVector(given["indices"], given["values"])
    return given


def _nearest(body: dict[str, Any]) -> edge.Query:
    given = body["query"]
    if isinstance(given, dict) and "nearest" in given:
        given = given["nearest"]
    return edge.Query.Nearest(_vector(given), using=body["using"])


def _filter(given: dict[str, Any] | None) -> edge.Filter | None:
    if not given:
        return None
    must = [
        edge.FieldCondition(key=c["key"], match=edge.MatchValue(c["match"]["value"]))
        for c in given["must"]
    ]
    return edge.Filter(must=must)


def _id(value: Any) -> Any:
    return None if value is None else str(value)


def _record(record: Any) -> dict[str, Any]:
    return {"id": str(record.id), "payload": record.payload or {}}


class Handler(BaseHTTPRequestHandler):
    """Routes of the REST API."""

    protocol_version = "HTTP/1.1"
    engine: Engine
    api_key: str | None = None
    version: str

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._serve()

    do_PUT = do_POST = do_DELETE = do_GET

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"{}")
        if self.api_key and self.headers.get("api-key") != self.api_key:
            self._answer(401, {"status": {"error": "Invalid API key"}})
            return
        path = self.path.partition("?")[0]
        if path == "/":
            self._answer(200, {"title": "qdrant - vector search engine", "version": self.version})
            return
        try:
            with self.engine.lock:
                result = self._route(path, body)
        except Exception as error:
            status = 409 if isinstance(error, FileExistsError) else 400
            self._answer(status, {"status": {"error": repr(error)}})
            return
        if result is None:
            self._answer(404, {"status": {"error": f"no {self.command} {path}"}})
        else:
            self._answer(200, {"time": 0.0, "status": "ok", "result": result})

    def _route(self, path: str, body: dict[str, Any]) -> Any:
        match = re.fullmatch(r"/collections/([\w.-]+)(/.*)?", path)
        if not match:
            return None
        name, rest = match[1], match[2] or ""
        engine = self.engine
        if (self.command, rest) == ("GET", "/exists"):
            return {"exists": name in engine.shards}
        if (self.command, rest) == ("PUT", ""):
            return engine.create(name, body)
        routes: dict[tuple[str, str], Callable[[str, dict[str, Any]], Any]] = {
            ("PUT", "/points"): engine.upsert,
            ("PUT", "/index"): engine.index,
            ("POST", "/points"): engine.retrieve,
            ("POST", "/points/delete"): engine.delete,
            ("POST", "/points/scroll"): engine.scroll,
            ("POST", "/points/count"): engine.count,
            ("POST", "/points/query"): engine.query,
        }
        if (self.command, rest) == ("GET", "") and name in engine.shards:
            return engine.describe(name)
        if (self.command, rest) not in routes or name not in engine.shards:
            return None
        return routes[self.command, rest](name, body)

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--path", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--api-key")
    parser.add_argument("--version", default="1.20.0")
    given = parser.parse_args()
    given.path.mkdir(parents=True, exist_ok=True)
    Handler.engine, Handler.api_key = Engine(given.path), given.api_key
    Handler.version = given.version
    server = ThreadingHTTPServer(("127.0.0.1", given.port), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
