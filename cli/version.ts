// The version of the tool, as package.json has it. Kept in one place for headers, run folders and `--version`.

export const version = "0.1.0";
export const tool = `moelang ${version}`;
