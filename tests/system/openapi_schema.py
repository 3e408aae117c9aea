"""The part of JSON Schema that docs/api/openapi.yaml uses."""

TYPES = {"string": str, "object": dict, "array": list, "null": type(None), "boolean": bool, "integer": int}


def is_type(value, name):
    return isinstance(value, TYPES[name]) and not (name == "integer" and isinstance(value, bool))


def problems(value, schema, document, where="$"):
    """What is wrong with `value`; fields that the schema does not name are wrong too."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    if "oneOf" in schema:
        if not any(not list(problems(value, each, document, where)) for each in schema["oneOf"]):
            yield f"{where} is none of what it may be"
        return
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if not any(is_type(value, name) for name in types):
        yield f"{where} is {value!r}, not {' or '.join(types)}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where} is {value!r}, not one of {schema['enum']}"
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from problems(item, schema["items"], document, f"{where}[{index}]")
    if isinstance(value, dict):
        properties = schema.get("properties")
        for name in schema.get("required", []):
            if name not in value:
                yield f"{where}.{name} is missing"
        for name, item in value.items():
            if properties is None or (name not in properties and "." in name):
                continue  # free-form; an audit log's event stands under its own dotted name
            if name not in properties:
                yield f"{where}.{name} is not in the schema"
            else:
                yield from problems(item, properties[name], document, f"{where}.{name}")
