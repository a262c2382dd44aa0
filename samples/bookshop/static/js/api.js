export async function findBooks(address, words, { limit, signal }) {
  const query = new URLSearchParams({ q: words, page_size: limit });
  const response = await fetch(`${address}?${query}`, { signal, headers: { Accept: "application/json" } });
  if (!response.ok) throw new Error(`${address} answered ${response.status}`);
  return response.json();
}
