/*
 * Subword tokenizers through SentencePiece, the one file in C++: the library has no other
 * interface.
 *
 * Nothing of C++ gets out: every exception ends here, and what is returned is C. The library is
 * handed a model as its file format has it (a protobuf message), written here from pieces and
 * scores. Its normalisation is "identity", which needs no tables, because texts come in their
 * normal form.
 */
extern "C" {
#include "text/subwords.h"
}

#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

struct lac_subwords {
  sentencepiece::SentencePieceProcessor processor;
};

namespace {

// Model types and piece types by their numbers in sentencepiece_model.proto.
struct model_type {
  const char *kind;
  uint64_t number;
};
const model_type TYPES[] = {{"unigram", 1}, {"bpe", 2}, {"word", 3}, {"char", 4}};
enum { NORMAL = 1, UNKNOWN = 2, CONTROL = 3 };
enum { UNK = 1, SPECIALS = 4 };

const model_type *find_type(const char *kind) {
  for (const model_type &type : TYPES)
    if (std::strcmp(type.kind, kind) == 0) return &type;
  return nullptr;
}

lac_status check_kind(const char *kind) {
  if (find_type(kind)) return LAC_OK;
  return lac_fail(LAC_EINVAL, "subwords: the kind is bpe or unigram, got \"%s\"", kind);
}

void put_number(std::string &out, uint64_t value) {
  for (; value >= 0x80; value >>= 7)
    out.push_back(static_cast<char>(0x80 | (value & 0x7f)));
  out.push_back(static_cast<char>(value));
}

void put_field(std::string &out, uint64_t field, uint64_t value) {
  put_number(out, field << 3);
  put_number(out, value);
}

void put_field(std::string &out, uint64_t field, const std::string &bytes) {
  put_number(out, field << 3 | 2);
  put_number(out, bytes.size());
  out += bytes;
}

void put_field(std::string &out, uint64_t field, float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  put_number(out, field << 3 | 5);
  for (int shift = 0; shift < 32; shift += 8)
    out.push_back(static_cast<char>(bits >> shift & 0xff));
}

std::string write_model(const model_type &type, const lac_subword *pieces, size_t count) {
  std::string model;
  for (size_t id = 0; id < count; id++) {
    std::string piece;
    put_field(piece, 1, std::string(pieces[id].text, pieces[id].bytes));
    put_field(piece, 2, pieces[id].score);
    put_field(piece, 3, uint64_t(id == UNK ? UNKNOWN : id < SPECIALS ? CONTROL : NORMAL));
    put_field(model, 1, piece);
  }
  std::string trainer, normalizer;
  put_field(trainer, 3, type.number);
  put_field(normalizer, 1, std::string("identity"));
  put_field(model, 2, trainer);
  put_field(model, 3, normalizer);
  return model;
}

// Texts one by one, as the trainer asks for them.
class text_iterator : public sentencepiece::SentenceIterator {
public:
  text_iterator(const lac_subword *texts, size_t count) : texts_(texts), count_(count) {
    fetch();
  }
  bool done() const override {
    return at_ >= count_;
  }
  void Next() override {
    at_++;
    fetch();
  }
  const std::string &value() const override {
    return value_;
  }
  sentencepiece::util::Status status() const override {
    return {};
  }

private:
  void fetch() {
    if (at_ < count_) value_.assign(texts_[at_].text, texts_[at_].bytes);
  }
  const lac_subword *texts_;
  size_t count_, at_ = 0;
  std::string value_;
};

lac_status report(const sentencepiece::util::Status &status) {
  if (status.ok()) return LAC_OK;
  return lac_fail(LAC_EINVAL, "subwords: SentencePiece says: %s", status.ToString().c_str());
}

lac_status load(lac_subwords **out, const std::string &model) {
  std::unique_ptr<lac_subwords> self(new lac_subwords);
  LAC_TRY(report(self->processor.LoadFromSerializedProto(model)));
  *out = self.release();
  return LAC_OK;
}

lac_status train(lac_subwords **out, const char *kind, size_t size, double coverage,
                 const lac_subword *texts, size_t count) {
  text_iterator iterator(texts, count);
  std::string model;
  LAC_TRY(report(sentencepiece::SentencePieceTrainer::Train(
      {{"model_type", kind},
       {"vocab_size", std::to_string(size)},
       {"character_coverage", std::to_string(coverage)},
       {"hard_vocab_limit", "false"},
       {"normalization_rule_name", "identity"},
       {"num_threads", "16"}, // sums are made in this many parts: another number, other pieces
       {"minloglevel", "3"},
       {"pad_id", "0"},
       {"unk_id", "1"},
       {"bos_id", "2"},
       {"eos_id", "3"},
       {"pad_piece", "<pad>"},
       {"unk_piece", "<unk>"},
       {"bos_piece", "<bos>"},
       {"eos_piece", "<eos>"},
       {"unk_surface", "<unk>"}},
      &iterator, &model)));
  return load(out, model);
}

lac_status encode(const lac_subwords *self, int32_t *ids, size_t *count, const char *text,
                  size_t bytes) {
  std::vector<int> found;
  LAC_TRY(report(self->processor.Encode(absl::string_view(text, bytes), &found)));
  if (found.size() > bytes + 1)
    return lac_fail(LAC_EINVAL, "subwords: %zu bytes became %zu pieces", bytes, found.size());
  for (size_t i = 0; i < found.size(); i++)
    ids[i] = found[i];
  *count = found.size();
  return LAC_OK;
}

// The edge of C++.
template <typename F> lac_status guarded(F run) {
  try {
    return run();
  } catch (const std::bad_alloc &) {
    return lac_fail(LAC_ENOMEM, "subwords: out of memory");
  } catch (const std::exception &e) {
    return lac_fail(LAC_EINVAL, "subwords: SentencePiece says: %s", e.what());
  }
}

} // namespace

extern "C" lac_status lac_subwords_new(lac_subwords **out, const char *kind,
                                       const lac_subword *pieces, size_t count) {
  LAC_TRY(check_kind(kind));
  return guarded([&] { return load(out, write_model(*find_type(kind), pieces, count)); });
}

extern "C" lac_status lac_subwords_train(lac_subwords **out, const char *kind, size_t size,
                                         double coverage, const lac_subword *texts, size_t count) {
  LAC_TRY(check_kind(kind));
  return guarded([&] { return train(out, kind, size, coverage, texts, count); });
}

extern "C" void lac_subwords_release(lac_subwords *self) {
  delete self;
}

extern "C" size_t lac_subwords_count(const lac_subwords *self) {
  return static_cast<size_t>(self->processor.GetPieceSize());
}

extern "C" lac_subword lac_subwords_piece(const lac_subwords *self, size_t id) {
  const std::string &text = self->processor.IdToPiece(static_cast<int>(id));
  return {text.data(), text.size(), self->processor.GetScore(static_cast<int>(id))};
}

extern "C" lac_status lac_subwords_encode(const lac_subwords *self, int32_t *ids, size_t *count,
                                          const char *text, size_t bytes) {
  return guarded([&] { return encode(self, ids, count, text, bytes); });
}
