"""The start page, the OpenAPI document and its pages."""
