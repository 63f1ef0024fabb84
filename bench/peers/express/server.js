// Posts and reactions on Express and mongoose. The session is a JWT in a cookie.
import bcrypt from 'bcrypt'
import cookieParser from 'cookie-parser'
import express from 'express'
import jwt from 'jsonwebtoken'
import mongoose, { Schema } from 'mongoose'

const { BCRYPT_COST, JWT_SIGN_KEY, MONGODB_URI, PORT } = process.env

const Account = mongoose.model(
  'Account',
  new Schema({
    username: { type: String, required: true, unique: true, maxlength: 30 },
    password: { type: String, required: true },
  }),
  'accounts',
)

const Post = mongoose.model(
  'Post',
  new Schema({
    author: { type: Schema.Types.ObjectId, ref: 'Account', required: true },
    text: { type: String, required: true, minlength: 1, maxlength: 500 },
    createdAt: { type: Date, default: Date.now },
    likes: { type: Number, default: 0 },
    dislikes: { type: Number, default: 0 },
  }),
  'posts',
)

const Reaction = mongoose.model(
  'Reaction',
  new Schema({
    post: { type: Schema.Types.ObjectId, ref: 'Post', required: true },
    account: { type: Schema.Types.ObjectId, ref: 'Account', required: true },
    value: { type: String, enum: ['like', 'dislike'], required: true },
  }).index({ post: 1, account: 1 }, { unique: true }),
  'reactions',
)

const showAccount = ({ id, username }) => ({ id, username })

const showPost = ({ id, author, text, createdAt, likes, dislikes }) => ({
  id,
  author: showAccount(author),
  text,
  createdAt,
  counts: { likes, dislikes },
})

function logIn(response, account) {
  const token = jwt.sign({ sub: account.id }, JWT_SIGN_KEY, { expiresIn: '1d' })
  response.cookie('session', token, { httpOnly: true, sameSite: 'lax', maxAge: 86_400_000 })
  return response
}

async function requireSession(request, response, next) {
  try {
    const { sub } = jwt.verify(request.cookies.session ?? '', JWT_SIGN_KEY)
    request.account = await Account.findById(sub)
  } catch (error) {
    if (!(error instanceof jwt.JsonWebTokenError)) throw error
  }
  if (!request.account) return response.sendStatus(401)
  next()
}

const app = express()
app.use(express.json(), cookieParser())

app.post('/v1/accounts', async (request, response) => {
  const password = await bcrypt.hash(request.body.password, Number(BCRYPT_COST))
  const account = await Account.create({ username: request.body.username, password })
  logIn(response, account).status(201).json(showAccount(account))
})

app.post('/v1/session', async (request, response) => {
  const account = await Account.findOne({ username: String(request.body.username) })
  const isRight = account && (await bcrypt.compare(request.body.password, account.password))
  if (!isRight) return response.sendStatus(401)
  logIn(response, account).json(showAccount(account))
})

app.get('/v1/session', requireSession, (request, response) => {
  response.json(showAccount(request.account))
})

app.post('/v1/posts', requireSession, async (request, response) => {
  const post = await Post.create({ author: request.account, text: request.body.text })
  response.status(201).json(showPost(post))
})

app.get('/v1/posts/:id', async (request, response) => {
  const post = await Post.findById(request.params.id).populate('author', 'username')
  if (!post) return response.sendStatus(404)
  response.json(showPost(post))
})

app.get('/v1/posts', async (request, response) => {
  const limit = Math.min(Number(request.query.limit ?? 20), 100)
  const posts = await Post.find().sort({ _id: -1 }).limit(limit).populate('author', 'username')
  response.json({ items: posts.map(showPost) })
})

app.put('/v1/posts/:id/reaction', requireSession, async (request, response) => {
  const { value } = request.body
  if (value !== 'like' && value !== 'dislike') return response.sendStatus(400)
  const { id } = request.params
  let post = await Post.findById(id)
  if (!post) return response.sendStatus(404)
  const before = await Reaction.findOneAndUpdate({ post: id, account: request.account.id }, { value }, { upsert: true })
  if (before?.value !== value) {
    const changes = { [`${value}s`]: 1, ...(before && { [`${before.value}s`]: -1 }) }
    post = await Post.findByIdAndUpdate(id, { $inc: changes }, { new: true })
  }
  response.json({ value, counts: { likes: post.likes, dislikes: post.dislikes } })
})

await mongoose.connect(MONGODB_URI)
await Promise.all([Account.init(), Post.init(), Reaction.init()])
app.listen(Number(PORT), '127.0.0.1')
