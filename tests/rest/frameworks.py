"""Frameworks against the server, unchanged: LangChain, LlamaIndex and Haystack store, find, filter and delete documents.

python frameworks.py URL
The embedding is a fake one (hashed words), so nothing is downloaded and the answers are known.
"""

import sys
import zlib

DIM = 64
TEXTS = {
    "cats": "cats sleep in the sun",
    "dogs": "dogs run in the park",
    "stars": "stars shine at night",
    "rust": "rust compiles to machine code",
}


def embed(text):
    """Counts the words of a text, each at a place of its own."""
    vector = [0.0] * DIM
    for word in text.lower().split():
        vector[zlib.crc32(word.encode()) % DIM] += 1.0
    return vector


def expect(what, got, wanted):
    if got != wanted:
        raise SystemExit(f"{what}: expected {wanted}, got {got}")


def langchain(url):
    from langchain_core.documents import Document
    from langchain_core.embeddings import Embeddings
    from langchain_qdrant import QdrantVectorStore
    from qdrant_client import models

    class Fake(Embeddings):
        def embed_documents(self, texts):
            return [embed(text) for text in texts]

        def embed_query(self, text):
            return embed(text)

    documents = [Document(page_content=text, metadata={"topic": topic, "length": len(text)}) for topic, text in TEXTS.items()]
    store = QdrantVectorStore.from_documents(documents, Fake(), url=url, collection_name="langchain", force_recreate=True)
    found = store.similarity_search_with_score("dogs in the park", k=2)
    expect("langchain, nearest", found[0][0].metadata["topic"], "dogs")
    condition = models.FieldCondition(key="metadata.topic", match=models.MatchValue(value="stars"))
    found = store.similarity_search("dogs in the park", k=4, filter=models.Filter(must=[condition]))
    expect("langchain, filter", [document.metadata["topic"] for document in found], ["stars"])
    ids = store.add_texts(["planes fly in the sky"], metadatas=[{"topic": "planes"}])
    expect("langchain, by id", store.get_by_ids(ids)[0].page_content, "planes fly in the sky")
    store.delete(ids)
    expect("langchain, deleted", store.get_by_ids(ids), [])
    again = QdrantVectorStore.from_existing_collection(embedding=Fake(), url=url, collection_name="langchain")
    expect("langchain, existing", again.similarity_search("rust machine", k=1)[0].metadata["topic"], "rust")


def llama_index(url):
    from llama_index.core.schema import TextNode
    from llama_index.core.vector_stores.types import MetadataFilter, MetadataFilters, VectorStoreQuery
    from llama_index.vector_stores.qdrant import QdrantVectorStore
    from qdrant_client import QdrantClient

    client = QdrantClient(url=url)
    client.delete_collection("llama")
    store = QdrantVectorStore(collection_name="llama", client=client)
    nodes = [TextNode(text=text, metadata={"topic": topic}, embedding=embed(text)) for topic, text in TEXTS.items()]
    store.add(nodes)
    answer = store.query(VectorStoreQuery(query_embedding=embed("cats in the sun"), similarity_top_k=1))
    expect("llama_index, nearest", answer.nodes[0].metadata["topic"], "cats")
    filters = MetadataFilters(filters=[MetadataFilter(key="topic", value="rust")])
    answer = store.query(VectorStoreQuery(query_embedding=embed("cats in the sun"), similarity_top_k=3, filters=filters))
    expect("llama_index, filter", [node.metadata["topic"] for node in answer.nodes], ["rust"])
    expect("llama_index, by id", store.get_nodes(node_ids=[nodes[2].node_id])[0].get_content(), TEXTS["stars"])
    store.delete_nodes(node_ids=[nodes[0].node_id])
    expect("llama_index, deleted", len(store.get_nodes(node_ids=[node.node_id for node in nodes])), 3)


def haystack(url):
    from haystack import Document
    from haystack.document_stores.types import DuplicatePolicy
    from haystack_integrations.components.retrievers.qdrant import QdrantEmbeddingRetriever
    from haystack_integrations.document_stores.qdrant import QdrantDocumentStore

    store = QdrantDocumentStore(url=url, index="haystack", embedding_dim=DIM, recreate_index=True, return_embedding=True)
    documents = [Document(content=text, meta={"topic": topic, "length": len(text)}, embedding=embed(text)) for topic, text in TEXTS.items()]
    expect("haystack, written", store.write_documents(documents), 4)
    expect("haystack, again", store.write_documents(documents, policy=DuplicatePolicy.OVERWRITE), 4)
    expect("haystack, count", store.count_documents(), 4)
    found = QdrantEmbeddingRetriever(document_store=store, top_k=1).run(query_embedding=embed("stars at night"))["documents"]
    expect("haystack, nearest", found[0].meta["topic"], "stars")
    filters = {"operator": "AND", "conditions": [
        {"field": "meta.length", "operator": ">", "value": 20},
        {"field": "meta.topic", "operator": "in", "value": ["cats", "rust"]}]}
    topics = sorted(document.meta["topic"] for document in store.filter_documents(filters))
    expect("haystack, filter", topics, sorted(topic for topic in ("cats", "rust") if len(TEXTS[topic]) > 20))
    grouped = QdrantEmbeddingRetriever(document_store=store, top_k=2, group_by="meta.topic", group_size=1).run(query_embedding=embed("dogs park"))
    expect("haystack, groups", grouped["documents"][0].meta["topic"], "dogs")
    store.delete_documents([documents[0].id])
    expect("haystack, deleted", store.count_documents(), 3)


def main():
    for example in (langchain, llama_index, haystack):
        example(sys.argv[1])
        print(f"{example.__name__}: as documented")


if __name__ == "__main__":
    main()
