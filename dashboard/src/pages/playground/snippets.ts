// A request of the playground as others would send it. The key is an environment variable, never the one behind this session.

export interface Turn {
  role: "system" | "user" | "assistant";
  content: string;
}

export interface ChatBody {
  model: string;
  messages: Turn[];
  temperature?: number;
  top_p?: number;
  max_tokens?: number;
  seed?: number;
  stop?: string[];
}

export type Language = "curl" | "python" | "javascript";

export const LANGUAGES: { value: Language; label: string }[] = [
  { value: "curl", label: "curl" },
  { value: "python", label: "Python" },
  { value: "javascript", label: "JavaScript" },
];

export function snippet(language: Language, origin: string, body: ChatBody): string {
  if (language === "curl") return curl(origin, body);
  return language === "python" ? python(origin, body) : javascript(origin, body);
}

function curl(origin: string, body: ChatBody): string {
  // A quote ends the shell's string, is escaped, and begins it again.
  const json = JSON.stringify(body, null, 2).replaceAll("'", "'\\''");
  return [
    `curl ${origin}/v1/chat/completions \\`,
    `  -H "Authorization: Bearer $TENORA_API_KEY" \\`,
    `  -H "Content-Type: application/json" \\`,
    `  -d '${json}'`,
  ].join("\n");
}

function python(origin: string, { messages, ...rest }: ChatBody): string {
  // JSON's strings and numbers are Python's; no other values occur.
  const fields = Object.entries(rest).map(([name, value]) => `    ${name}=${JSON.stringify(value)},`);
  const turns = messages.map(
    ({ role, content }) => `        {"role": "${role}", "content": ${JSON.stringify(content)}},`,
  );
  return [
    "import os",
    "from openai import OpenAI",
    "",
    `client = OpenAI(base_url="${origin}/v1", api_key=os.environ["TENORA_API_KEY"])`,
    "answer = client.chat.completions.create(",
    ...fields,
    "    messages=[",
    ...turns,
    "    ],",
    ")",
    "print(answer.choices[0].message.content)",
  ].join("\n");
}

function javascript(origin: string, body: ChatBody): string {
  const json = JSON.stringify(body, null, 2).replace(/^(\s*)"(\w+)":/gm, "$1$2:");
  return [
    'import OpenAI from "openai";',
    "",
    `const client = new OpenAI({ baseURL: "${origin}/v1", apiKey: process.env.TENORA_API_KEY });`,
    `const answer = await client.chat.completions.create(${json});`,
    "console.log(answer.choices[0].message.content);",
  ].join("\n");
}
