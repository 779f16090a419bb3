// The vendored module has the types of the package that it is built from.
export * from "perfect-freehand";
